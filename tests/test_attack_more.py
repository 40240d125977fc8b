"""Wrong rules that hide where few samples look, and right ones and bad input that a checker may stumble over."""

import numpy as np
import pytest

import gradproof
from gradproof.sample import VALUES
from gradproof.variation import structure, vary

RNG = np.random.default_rng(0)
X = RNG.normal(size=(4, 3))
ROWS = {"shapes": "x: n d -> y: n d"}


def sigmoid(x):
    return 0.5 * (1 + np.tanh(0.5 * x))


def softplus(x):
    return np.logaddexp(0.0, x)


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("options", [{}, ROWS], ids=["one point", "shapes"])
@pytest.mark.parametrize("threshold", [5, 10, 15])
def test_an_approximation_beyond_a_threshold_is_seen(threshold, options, seed):
    def wrong(u, x):
        return u * np.where(x > threshold, 1.0, sigmoid(x))

    assert gradproof.check_vjp(softplus, wrong, (X,), seed=seed, **options).refused


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("options", [{}, ROWS], ids=["one point", "shapes"])
def test_and_the_function_itself_is_not_refused(options, seed):
    assert gradproof.check_vjp(softplus, lambda u, x: u * sigmoid(x), (X,), seed=seed, **options).ok


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("options", [{}, ROWS], ids=["one point", "shapes"])
def test_an_edge_that_lies_too_low_is_seen(options, seed):
    def relu6(x):
        return np.clip(x, 0, 6)

    assert gradproof.check_vjp(relu6, lambda u, x: u * ((x > 0) & (x < 5)), (X,), seed=seed, **options).refused
    assert gradproof.check_vjp(relu6, lambda u, x: u * ((x > 0) & (x < 6)), (X,), seed=seed, **options).ok


@pytest.mark.parametrize("point", [X[0], X, np.sort(X[0])], ids=["row", "matrix", "sorted"])
def test_an_array_of_zeros_alone_is_a_sample(point):
    def length(x):
        return np.linalg.norm(x)

    assert gradproof.check_grad(length, lambda x: x / np.linalg.norm(x), (point,)).refused
    right = gradproof.check_grad(length, lambda x: x / (np.linalg.norm(x) or 1.0), (point,))
    assert right.ok, right


@pytest.mark.parametrize("zero", [0, 1])
def test_every_input_is_zero_alone_while_the_others_are_not(zero):
    def forward(x, w):
        return np.tanh(x @ w)

    def right(u, x, w):
        inner = u * (1 - np.tanh(x @ w) ** 2)
        return inner @ w.T, x.T @ inner

    def wrong(u, *point):
        return right(u, *point) if point[zero].any() else tuple(np.zeros_like(x) for x in point)

    point = (X, RNG.normal(size=(3, 2)))
    for options in ({}, {"shapes": "x: n d, w: d m -> y: n m"}):
        assert gradproof.check_vjp(forward, wrong, point, **options).refused
        assert gradproof.check_vjp(forward, right, point, **options).ok
    assert gradproof.check_vjp(forward, wrong, lambda rng: tuple(rng.normal(size=x.shape) for x in point)).refused


@pytest.mark.parametrize("ends", [(0.001, 0.999), (0.0, 1.0)])
@pytest.mark.parametrize("options", [{}, {"shapes": "p: n d, t: n d -> z: n d"}], ids=["one point", "shapes"])
def test_a_derivative_clipped_near_the_ends_of_an_interval_is_seen(options, ends):
    def loss(p, t):
        return -(t * np.log(p) + (1 - t) * np.log1p(-p))

    def right(u, p, t):
        return u * (p - t) / (p * (1 - p)), None

    def clipped(u, p, t):
        return u * (p - t) / np.maximum(p * (1 - p), 1e-2), None

    point = (RNG.uniform(0.2, 0.8, (4, 3)), RNG.uniform(0.2, 0.8, (4, 3)))
    options = {**options, "domain": {"p": ends, "t": "probability"}, "constant": "t"}
    assert gradproof.check_vjp(loss, clipped, point, **options).refused
    assert gradproof.check_vjp(loss, right, point, **options).ok


def test_a_choice_at_zeros_alone_is_not_refused():
    def nearest(a, b):
        return ((a[:, None] - b[None]) ** 2).sum(-1).min(1)

    def to_the_first(u, a, b):
        j = ((a[:, None] - b[None]) ** 2).sum(-1).argmin(1)
        step, g = 2 * u[:, None] * (a - b[j]), np.zeros_like(b)
        np.add.at(g, j, -step)
        return step, g

    def largest_singular(u, a):
        left, _, right = np.linalg.svd(a)
        return u * np.outer(left[:, 0], right[0])

    def ones_at_zero(x):
        return x / np.linalg.norm(x) if x.any() else np.ones_like(x)

    assert gradproof.check_grad(np.linalg.norm, ones_at_zero, (X,)).refused
    for seed in range(3):
        assert not gradproof.check_vjp(nearest, to_the_first, (X, X[:2] + 1), seed=seed).refused
        assert not gradproof.check_vjp(lambda a: np.linalg.norm(a, 2), largest_singular, (X,), seed=seed).refused


BUFFERS = {}


def test_a_buffer_that_every_call_fills_anew_is_seen():
    def doubled(u, x):
        out = BUFFERS.setdefault(x.shape, np.empty_like(x))
        out[...] = 2 * u
        return out

    result = gradproof.check_vjp(lambda x: 2 * x, doubled, (X,))
    assert result.refused
    assert any(v.check == "state" and "buffer" in v.note for v in result.verdicts)
    assert gradproof.check_vjp(lambda x: 2 * x, lambda u, x: 2 * u, (X,)).ok


def test_an_entry_that_the_narrow_reference_has_no_number_for_is_left_open():
    torch = pytest.importorskip("torch")
    point = (np.abs(RNG.normal(size=(4, 3))) + 0.1).astype(np.float16)

    for seed in range(4):
        options = {"torch": torch.reciprocal, "domain": "positive", "seed": seed}
        right = gradproof.check_vjp(lambda x: 1 / x, lambda u, x: -u / x**2, (point,), **options)
        assert right.ok, right
        assert not any(np.isnan(v.bound) for v in right.verdicts)
        assert gradproof.check_vjp(lambda x: 1 / x, lambda u, x: -u / x, (point,), examples=2, **options).refused


@pytest.mark.parametrize("seed", range(3))
def test_two_terms_that_cancel_are_given_the_rounding_of_the_terms(seed):
    torch = pytest.importorskip("torch")

    def length(v):
        return np.sqrt((v * v).sum(1))

    def right(u, v, g):
        along = (u * v).sum(1)
        return (g / length(v))[:, None] * (u - v * (along / (v * v).sum(1))[:, None]), along / length(v)

    def wrong(u, v, g):
        along = (u * v).sum(1)
        return (g / length(v))[:, None] * (u - v * (along / length(v))[:, None]), along / length(v)

    def forward(v, g):
        return g[:, None] * v / length(v)[:, None]

    def framework(v, g):
        return g[:, None] * v / torch.linalg.vector_norm(v, dim=1)[:, None]

    point = (RNG.normal(size=(3, 4)) + 6, RNG.normal(size=3))
    for options in ({}, {"torch": framework}):
        options = {"shapes": "v: n d, g: n -> y: n d", "seed": seed, **options}
        assert gradproof.check_vjp(forward, right, point, **options).ok
        assert gradproof.check_vjp(forward, wrong, point, **options).refused


SQUARE = (lambda x: x**2, lambda u, x: 2 * u * x)


@pytest.mark.parametrize("size", [1e-320, 1e-300, 1e-200, 1e-100, 1e100, 1e150])
def test_points_at_the_ends_of_the_range_are_judged_or_left_open(size):
    assert not gradproof.check_vjp(*SQUARE, (X * size,)).refused
    wrong = gradproof.check_vjp(SQUARE[0], lambda u, x: 2.001 * u * x, (X * size,))
    assert not wrong.ok
    assert all(np.isfinite(v.bound) for v in wrong.verdicts if v.word == "agrees")
    triple = gradproof.check_vjp(lambda x: 3 * x, lambda u, x: 3 * u, (X * size,))
    assert not triple.refused


@pytest.mark.parametrize("size", [1e3, 1e6, 1e9, 1e30])
def test_a_scale_is_learnt_where_something_happens(size):
    right = gradproof.check_vjp(np.tanh, lambda u, x: u * (1 - np.tanh(x) ** 2), (X * size,))
    assert right.ok, right
    assert gradproof.check_vjp(np.tanh, lambda u, x: u * (1 - np.tanh(x) ** 3), (X * size,)).refused


def tanh_layer(x, w):
    y = np.tanh(x @ w)
    return y, {"x": x, "w": w, "y": y}


def backward(u, cache):
    inner = u * (1 - cache["y"] ** 2)
    return {"x": inner @ cache["w"].T, "w": cache["x"].T @ inner}


def halved(u, cache):
    found = backward(u, cache)
    cache["y"] *= 0.5
    return found


def replaced(u, cache):
    found = backward(u, cache)
    cache["y"] = cache["y"] * 0.5
    return found


def emptied(u, cache):
    inner = u * (1 - cache.pop("y") ** 2)
    return {"x": inner @ cache["w"].T, "w": cache["x"].T @ inner}


def test_a_layer_changes_neither_its_output_nor_its_cache():
    point = (X, RNG.normal(size=(3, 2)))
    right = gradproof.check_layer(tanh_layer, backward, point)
    assert right.ok
    assert not any("cache" in w for w in right.warnings)
    for wrong, words in ((halved, "changed the output"), (replaced, "second backward on one cache")):
        result = gradproof.check_layer(tanh_layer, wrong, point)
        assert result.refused
        assert "argument_changed" in result.causes
        assert words in str(result)
    once = gradproof.check_layer(tanh_layer, emptied, point)
    assert once.ok
    assert any("uses the cache up" in w for w in once.warnings)


EMPTY = np.zeros((0, 3))
OUTER = (lambda x, w: x * w.sum(), lambda u, x, w: (u * w.sum(), np.full_like(w, (u * x).sum())))
MISTAKES = {
    "an empty point": ((*SQUARE, (EMPTY,)), {}, "no differentiated input has an entry: 'x' has shape (0, 3); give a"),
    "an empty sampler": ((*SQUARE, lambda rng: (EMPTY,)), {}, "no differentiated input has an entry"),
    "a domain of another shape": (
        (*SQUARE, (X,)),
        {"domain": lambda rng, shape: rng.normal(size=3)},
        "the domain of 'x' gave shape (3,), asked for (4, 3); return an array",
    ),
    "a domain of NaN": (
        (*SQUARE, (X,)),
        {"domain": lambda rng, shape: np.full(shape, np.nan)},
        "the domain of 'x' gave NaN or infinity; return finite numbers",
    ),
    "names in another order": (
        (*OUTER, (X, X + 1)),
        {"shapes": "w: n d, x: e m -> y: n d"},
        "shapes= names the inputs w, x, the forward takes x, w; they are bound by position",
    ),
    "a list of outputs": ((lambda x: [x, x], SQUARE[1], (X,)), {}, "the forward returned a list; return an array, or"),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_callers_mistake_is_said_in_one_line(mistake):
    arguments, options, words = MISTAKES[mistake]
    with pytest.raises(gradproof.InputError) as caught:
        gradproof.check_vjp(*arguments, **options)
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)


def test_tensors_are_sent_to_check_torch():
    torch = pytest.importorskip("torch")
    with pytest.raises(gradproof.InputError, match="give NumPy arrays, or use check_torch for a function of torch"):
        gradproof.check_vjp(*SQUARE, (torch.ones(3, dtype=torch.float64),))


@pytest.mark.parametrize("off", ["factor", "float"])
def test_a_reference_that_is_set_aside_is_named(off):
    torch = pytest.importorskip("torch")
    theirs = {"factor": lambda x: x**2 * (1 + 1e-6), "float": lambda x: (x.float() ** 2).double()}[off]
    result = gradproof.check_vjp(*SQUARE, (X,), torch=theirs)
    assert result.ok
    assert any("the gradient of torch= was set aside" in w for w in result.warnings)
    same = gradproof.check_vjp(*SQUARE, (X,), torch=torch.square)
    assert same.ok
    assert not any("set aside" in w for w in same.warnings)


# ---- symmetric matrices ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(3))
def test_eigenvalues_of_a_symmetric_matrix_are_not_asked_for_where_all_are_equal(seed):
    """At zero, or at a variation that is not symmetric, the right rule is none of one triangle's."""

    def vjp(u, a):
        vectors = np.linalg.eigh(a)[1]
        return vectors @ np.diag(u) @ vectors.T

    half = np.random.default_rng(seed).normal(size=(3, 3))
    assert gradproof.check_vjp(np.linalg.eigvalsh, vjp, (half + half.T,), seed=seed).word == "agrees"
    bent = gradproof.check_vjp(np.linalg.eigvalsh, lambda u, a: 1.01 * vjp(u, a), (half + half.T,), seed=seed)
    assert bent.refused


@pytest.mark.parametrize("x", [np.eye(4), np.array([[0.0, 1], [1, 1]]), np.full((3, 3), 1 / 3), np.diag([1.0, 2, 3])])
def test_a_symmetric_point_stays_symmetric_and_keeps_what_else_it_has(x):
    keep = structure(x)
    assert "symmetric" in keep
    for kind in VALUES:
        for seed in range(5):
            fresh = vary(np.random.default_rng(seed), x, kind, keep)
            assert np.array_equal(fresh, fresh.T)
            if "rows summing to 1" in keep:
                assert np.allclose(fresh.sum(-1), 1)
            if "values 0/1" in keep:
                assert np.isin(fresh, (0, 1)).all()


def interactions(x, v):
    """Pairwise interactions of a factorization machine; with one feature there is no pair, and it is 0 throughout."""
    return 0.5 * ((x @ v) ** 2 - (x * x) @ (v * v)).sum(1)


def interactions_vjp(u, x, v):
    s, u = x @ v, u[:, None]
    return u * (s @ v.T - x * (v * v).sum(1)), (u * x).T @ s - v * (u * x * x).sum(0)[:, None]


ONE_FEATURE = (np.array([[0.7], [-1.3], [0.4]]), np.array([[0.345, -1.62, 0.8]]))


@pytest.mark.parametrize("seed", range(3))
def test_what_terms_that_cancel_leave_is_no_error(seed):
    for options in ({}, {"shapes": "x: n d, v: d k -> y: n"}):
        assert gradproof.check_vjp(interactions, interactions_vjp, ONE_FEATURE, seed=seed, **options).ok


@pytest.mark.parametrize("off", [1e-9, 1e-12])
def test_what_is_more_than_terms_that_cancel_leave_is_an_error(off):
    def rule(u, x, v):
        x_bar, v_bar = interactions_vjp(u, x, v)
        return x_bar + off * u[:, None], v_bar

    assert gradproof.check_vjp(interactions, rule, ONE_FEATURE).refused


def test_a_function_as_small_as_what_terms_leave_is_judged_all_the_same():
    point = (np.array([0.3, -1.2, 0.8]),)
    assert gradproof.check_vjp(lambda x: 1e-17 * np.sin(x), lambda u, x: 1e-17 * u * np.cos(x), point).ok
    assert gradproof.check_vjp(lambda x: 1e-17 * np.sin(x), lambda u, x: 1.01e-17 * u * np.cos(x), point).refused


def log_sum_exp(x):
    m = x.real.max(-1, keepdims=True)
    return (m + np.log(np.exp(x - m).sum(-1, keepdims=True)))[..., 0]


def exp_of_all(u, x):
    e = np.exp(x)  # overflows: the largest entry is not taken off first
    return u[..., None] * e / e.sum(-1, keepdims=True)


@pytest.mark.parametrize("shape", [(2,), (4,), (3, 2)], ids=str)
def test_an_overflow_is_met_whatever_the_seed(shape):
    for seed in range(6):
        assert gradproof.check_vjp(log_sum_exp, exp_of_all, lambda rng: (rng.normal(size=shape),), seed=seed).refused


def masked_softmax(s, mask):
    e = np.where(mask, np.exp(s - np.where(mask, s.real, -1e30).max(-1, keepdims=True)), 0)
    total = e.sum(-1, keepdims=True)
    return e / np.where(total == 0, 1, total)


@pytest.mark.parametrize("seed", range(3))
def test_a_row_that_a_mask_leaves_nothing_of_is_tried(seed):
    def unmasked_there(u, s, mask):
        p = np.where(mask.any(-1, keepdims=True), masked_softmax(s, mask), masked_softmax(s, np.ones_like(mask)))
        return p * (u - (u * p).sum(-1, keepdims=True)), None

    def right(u, s, mask):
        p = masked_softmax(s, mask)
        return p * (u - (u * p).sum(-1, keepdims=True)), None

    point = (np.resize(X, (4, 6)) + np.arange(6), np.arange(24).reshape(4, 6) % 5 != 0)
    assert gradproof.check_vjp(masked_softmax, right, point, seed=seed).ok
    assert gradproof.check_vjp(masked_softmax, unmasked_there, point, seed=seed).refused


# ---- a forward that stands still by rounding alone ------------------------------------------------------------------

SWALLOWED = {
    "1 - cos": (lambda x: 1 - np.cos(x), np.sin),
    "square root": (lambda x: np.sqrt(1 + x * x) - 1, lambda x: x / np.sqrt(1 + x * x)),
    "log cosh": (lambda x: np.abs(x) + np.log1p(np.exp(-2 * np.abs(x))) - np.log(2), np.tanh),
}
FLAT = {
    "square below 0": (lambda x: np.maximum(x, 0) ** 2, lambda x: 2 * x),
    "leaky below 0": (lambda x: np.maximum(x, 0), lambda x: np.where(x > 0, 1, 0.01)),
}


@pytest.mark.parametrize("size", [3e-8, 1e-9, 1e-20])
@pytest.mark.parametrize("name", SWALLOWED)
def test_moves_that_are_lost_in_the_rounding_of_one_refuse_nothing(name, size):
    forward, slope = SWALLOWED[name]
    for seed in range(2):
        point = (X[0] * size,)
        assert not gradproof.check_vjp(forward, lambda u, x: u * slope(x), point, seed=seed).refused
        for factor in (-1.0, 1.01, 0.0):  # 0 times a step of 1e-20 was a division by zero
            assert gradproof.check_vjp(forward, lambda u, x, k=factor: k * u * slope(x), point, seed=seed).refused


@pytest.mark.parametrize("size", [1e-9, 1e-5, 1e-2])
@pytest.mark.parametrize("name", FLAT)
def test_what_is_flat_close_to_where_it_rises_is_flat_all_the_same(name, size):
    forward, slope = FLAT[name]
    assert gradproof.check_vjp(forward, lambda u, x: u * slope(x), (X[0] * size,), examples=1).refused


# ---- few entries, which meet few values ------------------------------------------------------------------------------


def x_tanh(x):
    return x * np.tanh(x)


def x_tanh_vjp(u, x):
    return u * (np.tanh(x) + x * (1 - np.tanh(x) ** 2))


SOME = {
    "from 3 to 4": lambda x: (x > 3) & (x < 4),
    "from -6 to -5": lambda x: (x > -6) & (x < -5),
    "below -100": lambda x: x < -100,
    "from 10 to 20": lambda x: (x > 10) & (x < 20),
    "at 1 alone": lambda x: x == 1,
    "at -2 alone": lambda x: x == -2,
    "close to zero": lambda x: np.abs(x) < 1e-3,
}


def as_sampled(point):
    return lambda rng: tuple(x * (1 + rng.random(np.shape(x))) for x in point)


@pytest.mark.parametrize("sampled", [False, True], ids=["point", "sampler"])
@pytest.mark.parametrize("size", [1, 3])
@pytest.mark.parametrize("place", SOME)
def test_a_few_entries_meet_every_stretch_of_the_numbers(place, size, sampled):
    def wrong(u, x):
        return x_tanh_vjp(u, x) * np.where(SOME[place](x), 1.01, 1)

    point = (np.array([-0.4, 1.3, 0.2])[:size],)
    assert gradproof.check_vjp(x_tanh, wrong, as_sampled(point) if sampled else point).refused


@pytest.mark.parametrize("size", [1, 2, 5])
def test_each_input_meets_them_alone_and_beside_the_others(size):
    def forward(x, y):
        return x * y + np.sin(x)

    def right(u, x, y):
        return u * (y + np.cos(x)), u * x

    point = (-np.linspace(0.3, 1, size), np.linspace(-0.2, 1, size))
    assert gradproof.check_vjp(forward, right, point).ok
    for place in (lambda x, y: y == 1, lambda x, y: (x < -2) & (y > 3), lambda x, y: (np.abs(x) > 5) & (y < 0.5)):

        def wrong(u, x, y, place=place):
            return right(u, x, y)[0] * np.where(place(x, y), 1.01, 1), u * x

        assert gradproof.check_vjp(forward, wrong, point).refused


@pytest.mark.parametrize("shape", [(2,), (4, 3)], ids=str)
def test_a_threshold_a_little_beside_the_kink_is_seen(shape):
    def hard_swish(x):
        return x * np.clip(x + 3, 0, 6) / 6

    def rule(u, x, low=-3.0, high=3.0):
        return u * np.where(x <= low, 0, np.where(x >= high, 1, (2 * x + 3) / 6))

    point = (np.resize(X, shape),)
    assert gradproof.check_vjp(hard_swish, rule, point).ok
    assert gradproof.check_vjp(hard_swish, lambda u, x: rule(u, x, low=-2.9), point).refused
    assert gradproof.check_vjp(hard_swish, lambda u, x: rule(u, x, high=3.1), point).refused


@pytest.mark.parametrize("axis", [0, 1])
def test_an_axis_longer_than_a_block_is_tried_where_shapes_vary(axis):
    def right(u, x):
        return x_tanh_vjp(u, x)

    def first_block_only(u, x):
        g = np.moveaxis(x_tanh_vjp(u, x), axis, 0)
        g[64:] = 0
        return np.moveaxis(g, 0, axis).copy()

    result = gradproof.check_vjp(x_tanh, first_block_only, (X,), **ROWS)
    assert result.refused
    assert result.where["x"][0][axis] >= 64
    assert gradproof.check_vjp(x_tanh, right, (X,), **ROWS).ok


def test_a_point_beside_the_samples_is_said_to_be_one():
    result = gradproof.check_vjp(x_tanh, lambda u, x: x_tanh_vjp(u, x) * (1 + (x == 3.5)), (np.array([-0.4]),))
    assert result.where["x"][0] == (0,)
    assert "refuse it, at a point beside the 20 samples" in str(result)


def test_what_is_right_between_the_samples_leaves_no_word():
    for forward, rule in ((np.floor, np.zeros_like), (np.abs, np.sign), (lambda x: np.clip(x, -3, 3), inside)):
        right = gradproof.check_vjp(forward, lambda u, x, rule=rule: u * rule(x), (np.array([-0.4, 1.3]),))
        assert right.ok, right
        assert not any("swept" in v.sample for v in right.verdicts)


def inside(x):
    return (np.abs(x) < 3).astype(float)


@pytest.mark.parametrize("size", [2, 3, 12])
def test_a_cotangent_of_ones_and_a_sparse_one_are_tried(size):
    def at_ones(u, x):
        return x_tanh_vjp(u, x) * (1 if np.ptp(u) else 1.01)

    def at_zeros(u, x):
        return x_tanh_vjp(u, x) * np.where((u == 0).any() and u.any(), 1.01, 1)

    for wrong in (at_ones, at_zeros):
        assert gradproof.check_vjp(x_tanh, wrong, (np.linspace(-1, 1.3, size),)).refused


def test_a_declaration_meets_them_as_well():
    def backward(z_bar, z, x):
        return {"x": x_tanh_vjp(z_bar, x) * np.where(x == 5.5, 1 + 1e-5, 1)}

    equation = gradproof.Equation(forward=x_tanh, backward=backward, shapes="x: n -> z: n")
    assert gradproof.check(equation).refused
# ---- conditioning that two draws miss -------------------------------------------------------------------------------


def solve_vjp(u, a, b, factor=1.0):
    y, g = np.linalg.solve(a, b), np.linalg.solve(a.T, u)
    return -factor * np.outer(g, y), g


@pytest.mark.parametrize("off", [1e-3, 1e-6])
def test_a_matrix_whose_entries_happen_to_move_alike_is_as_nearly_singular_as_it_was(off):
    point = (np.array([[1.0, 1.0], [1.0, 1.0 + off]]), np.array([1.0, 2.0]))
    for seed in (0, 3, 4):
        assert not gradproof.check_vjp(np.linalg.solve, solve_vjp, point, seed=seed).refused
        wrong = gradproof.check_vjp(np.linalg.solve, lambda u, a, b: solve_vjp(u, a, b, 1 + 1e-6), point, seed=seed)
        assert wrong.refused
