"""The signs of the paper as functions, and the names of the conventions that it leaves unsaid."""

import numpy as np

ELEMENTWISE = "elementwise for matrix product"
TRANSPOSE = "a transpose left out"
ORDER = "the factors in the other order"
TRANSPOSE_ORDER = "a transpose left out and the factors in the other order"
RESHAPE = "a transpose left out, and the row put back into the shape of the map"
BATCH = "a sum over the batch left out"
POSITIONS = "a sum over the positions of the map left out"
OPERATOR = "a derivative in front of a bracket stands for the operator of differentiation"
ROWS = "rows of Y sum to one"
COLUMNS = "one column a sample, the transpose of the rows of Z = XW + b"
ZEROS = "out-of-range terms are zero; the channel index is dropped"
WINDOWS = "windows do not overlap and have no ties; a value belongs to the window it lies in"
CORRELATION = "the dot is a correlation: slide dJ/dZ over the input and add up the products"
PATCHES = "X stands for its patches: row (i,j) of the Jacobian is the patch of X at (i,j)"
FULL = "the dot is a full convolution: K flipped, out-of-range terms zero"
FROM_ONE = "indices counted from one in this sum, from zero elsewhere"
ONE_FILTER = "one filter"


def over(of, wrt):
    """A derivative in LaTeX."""
    return rf"\frac{{\partial {of}}}{{\partial {wrt}}}"


def dot(a, b):
    """The paper's dot: the matrix product, or scaling where one side is a scalar."""
    a, b = np.asarray(a), np.asarray(b)
    return a * b if a.ndim == 0 or b.ndim == 0 else a @ b


def chain(of, through, wrt):
    """d(of)/d(through) . d(through)/d(wrt): a row times a Jacobian matrix, as a function of the sample;
    shape of `wrt`.
    """

    def product(t):
        row, jacobian = np.asarray(t.d(of, through)), np.asarray(t.d(through, wrt))
        shape = jacobian.shape[row.ndim :]
        return (row.reshape(1, -1) @ jacobian.reshape(row.size, -1)).reshape(shape)

    return product


def convolve(x, k):
    """Sum over a, b of x[i+a, j+b] k[a, b] (35), for every place where the kernel fits."""
    rows, columns = (big - small + 1 for big, small in zip(np.shape(x), np.shape(k), strict=True))
    return np.array(
        [[(x[i : i + k.shape[0], j : j + k.shape[1]] * k).sum() for j in range(columns)] for i in range(rows)]
    )


def pool(x, p, s):
    """The maximum of each p by p window, s apart (37)."""
    rows, columns = ((size - p) // s + 1 for size in x.shape)
    return np.array(
        [[x[i * s : i * s + p, j * s : j * s + p].max() for j in range(columns)] for i in range(rows)]
    )


def spread(y, shape, p):
    """Each entry of a pooled map over the p by p window it came from; zero where no window reaches."""
    out = np.zeros(shape)
    rows, columns = y.shape[0] * p, y.shape[1] * p
    out[:rows, :columns] = np.kron(y, np.ones((p, p)))
    return out


def mask(x, p, s):
    """M: 1 where x equals the maximum of a p by p window that it lies in, 0 elsewhere (50)."""
    out = np.zeros(x.shape)
    for (i, j), top in np.ndenumerate(pool(x, p, s)):
        window = np.s_[i * s : i * s + p, j * s : j * s + p]
        out[window] = np.maximum(out[window], x[window] == top)
    return out


def padded(u, k):
    """The full convolution: sum over p, q of k[p, q] u[i-p, j-q], terms outside u zero (62)."""
    out = np.zeros((u.shape[0] + k.shape[0] - 1, u.shape[1] + k.shape[1] - 1), dtype=u.dtype)
    for (p, q), weight in np.ndenumerate(k):
        out[p : p + u.shape[0], q : q + u.shape[1]] = out[p : p + u.shape[0], q : q + u.shape[1]] + weight * u
    return out


def positive(z):
    """1 where z > 0, 0 elsewhere (20)."""
    return np.where(z > 0, 1.0, 0.0)
