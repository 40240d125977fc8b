"""The block a person reads: what, where, how far off, what it looks like, and lines that run when pasted."""

import ml_dtypes
import numpy as np
import pytest

import gradproof

RNG = np.random.default_rng(23)
X = RNG.normal(size=(3, 4))
POINT = (X, RNG.normal(size=(4, 2)), RNG.normal(size=2))
AFFINE = "x: n d, w: d m, b: m -> z: n m"


def sine(x):
    return np.sin(x)


def sine_vjp(u, x):
    return u * np.cos(x)


def affine(x, w, b):
    return x @ w + b


def affine_vjp(u, x, w, b):
    return u @ w.T, x.T @ u, u.sum(0)


def halved_vjp(u, x, w, b):
    return u @ w.T, 0.5 * (x.T @ u), u.sum(0)


def mean_vjp(u, x, w, b):
    return u @ w.T, x.T @ u, u.sum(0) / max(len(u), 1)


def relu(x):
    return np.maximum(x, 0)


def negative_vjp(u, x):
    return -u * np.cos(x)


def missing_vjp(u, x):
    return None


def raising_vjp(u, x):
    raise RuntimeError("no such thing")


def shape_vjp(u, x):
    return sine_vjp(u, x)[None]


def nan_vjp(u, x):
    return u * np.cos(x) * np.where(x > 50, np.nan, 1)


def relu_two_vjp(u, x):
    return u * np.where(x == 0, 2.0, x > 0)


def a_rule_with_a_name_that_goes_on_and_on_and_does_not_end_vjp(u, x):
    return -u * np.cos(x)


RULES = {
    "right": (affine, affine_vjp, POINT, {"shapes": AFFINE}),
    "factor": (affine, halved_vjp, POINT, {"shapes": AFFINE}),
    "mean": (affine, mean_vjp, POINT, {"shapes": AFFINE}),
    "sign": (sine, negative_vjp, (X,), {}),
    "missing": (sine, missing_vjp, (X,), {}),
    "raises": (sine, raising_vjp, (X,), {}),
    "shape": (sine, shape_vjp, (X,), {}),
    "nan": (sine, nan_vjp, (X,), {}),
    "subgradient": (relu, lambda u, x: u * (x > 0), (X,), {}),
    "kink": (relu, relu_two_vjp, (X,), {}),
    "undecided": (np.sqrt, lambda u, x: u / (2 * np.sqrt(x)), (np.array([0.0, 1.0]),), {}),
    "long name": (sine, a_rule_with_a_name_that_goes_on_and_on_and_does_not_end_vjp, (X,), {}),
    "large": (sine, negative_vjp, (RNG.normal(size=(60, 40)),), {"examples": 1}),
}


@pytest.fixture(scope="module")
def results():
    made = {}
    for name, (forward, rule, point, options) in RULES.items():
        made[name] = gradproof.check_vjp(forward, rule, point, **{"examples": 10, **options})
        assert made[name].verdicts  # read here: the fixture serves many tests
    return made


@pytest.mark.parametrize("name", RULES)
def test_a_line_fits_a_hundred_columns_and_none_is_blank(results, name):
    text = str(results[name])
    # an array is printed as NumPy prints it
    lines = [line for line in text.splitlines() if "array" not in line and not line.lstrip().startswith("[")]
    assert max(len(line) for line in lines) <= 100
    assert all(line.strip() for line in text.splitlines())
    assert not any(line != line.rstrip() for line in text.splitlines())


def test_agreement_says_how_often_and_how_finely(results):
    first, *rest = str(results["right"]).splitlines()
    assert first.startswith("affine_vjp: agrees (11 samples, ")
    assert any("resolution" in line for line in rest)
    assert "to reproduce" not in str(results["right"])
    assert results["right"].reproduce == ""


def test_one_shape_is_said_to_be_one(results):
    assert "one shape was tried: give shapes= or a sampler to vary it" in str(results["sign"])
    assert "one shape" not in str(results["right"])


def test_a_refusal_says_what_where_is_should_be_and_by_how_much(results):
    text = str(results["factor"])
    first = text.splitlines()[0]
    assert first == "halved_vjp: the gradient of w is wrong"
    index, got, expected = results["factor"].where["w"]
    assert f"at w{list(index)}: is {got!r}, should be {expected!r}" in text
    assert "0.5 times" in text
    assert "it is a constant multiple of the gradient" in text
    assert "to reproduce" in text


def test_a_mean_for_a_sum_names_the_axis(results):
    text = "".join(str(results["mean"]).split())
    assert "ameanstandswhereasumshouldbe" in text
    assert "toosmall" in text


def test_each_word_has_its_text(results):
    assert "no gradient for 'x'; return one, or pass constant='x' if it has none" in str(results["missing"])
    assert "the vjp raised RuntimeError: no such thing" in str(results["raises"])
    assert "the gradient has shape (1, 3, 4), the input has (3, 4)" in str(results["shape"])
    assert "is nan, should be" in str(results["nan"])
    assert "a kink: another of the valid choices" in str(results["subgradient"])
    assert "undecided" in str(results["undecided"]).splitlines()[0]


def test_a_lambda_is_called_vjp_where_the_lines_are_pasted():
    result = gradproof.check_vjp(sine, lambda u, x: -u * np.cos(x), (X,), examples=2)
    assert result.refused
    assert result.reproduce.splitlines()[-1] == "vjp(cotangent, x)"


def run(result, scope):
    """The last line of the replay, evaluated after the others."""
    *lines, last = result.reproduce.splitlines()
    names = dict(scope)
    exec("\n".join(lines), names)
    return eval(last, names), names


def test_the_lines_make_the_failing_call(results):
    (_, g, _), names = run(results["factor"], {"halved_vjp": halved_vjp})
    right = affine_vjp(names["cotangent"], names["x"], names["w"], names["b"])[1]
    assert g == pytest.approx(0.5 * right)
    assert right.any()


def test_the_counterexample_is_simple(results):
    _, names = run(results["factor"], {"halved_vjp": halved_vjp})
    assert (16 * names["x"] == np.round(16 * names["x"])).all()


def test_the_counterexample_is_small():
    def wrong_for_squares(u, x):
        return sine_vjp(u, x) * (1.5 if x.shape[0] == x.shape[1] else 1.0)

    result = gradproof.check_vjp(sine, wrong_for_squares, (X,), shapes="x: n d -> z: n d")
    assert result.refused
    _, names = run(result, {"wrong_for_squares": wrong_for_squares})
    assert names["x"].shape == (1, 1)


def test_the_callers_own_point_is_shrunk_in_shape():
    result = gradproof.check_vjp(sine, negative_vjp, (X,), shapes="x: n d -> z: n d", examples=1)
    assert result.refused
    _, names = run(result, {"negative_vjp": negative_vjp})
    assert names["x"].shape == (1, 1)


@pytest.mark.parametrize("dtype", [np.float16, np.float32, ml_dtypes.bfloat16])
def test_the_lines_keep_the_dtype(dtype):
    result = gradproof.check_vjp(sine, negative_vjp, (X.astype(dtype),), examples=2)
    assert result.refused
    g, names = run(result, {"negative_vjp": negative_vjp})
    assert names["x"].dtype == dtype
    assert g.dtype == dtype


def test_tuples_scalars_and_constants_are_written_out():
    def both(x, k, mode):
        return np.sin(k * x), (x * x).sum()

    def both_vjp(u, x, k, mode):
        return u[0] * np.cos(k * x) + 2 * u[1] * x, None, None

    result = gradproof.check_vjp(both, both_vjp, (X, 3, "same"), examples=3)
    assert result.refused
    (g, *_), names = run(result, {"both_vjp": both_vjp})
    assert (names["k"], names["mode"]) == (3, "same")
    assert isinstance(names["cotangent"], tuple)
    assert g.shape == names["x"].shape


def images(x, w):
    _, _, h, v = x.shape
    k = w.shape[2]
    cells = [[x[:, :, i : i + k, j : j + k] for j in range(v - k + 1)] for i in range(h - k + 1)]
    return np.stack([np.stack([np.einsum("ncij,ocij->no", c, w) for c in row], -1) for row in cells], -2)


def images_vjp(u, x, w):
    k, (gx, gw) = w.shape[2], (np.zeros_like(x), np.zeros_like(w))
    for i in range(u.shape[2]):
        for j in range(u.shape[3]):
            gx[:, :, i : i + k, j : j + k] += np.einsum("no,ocij->ncij", u[:, :, i, j], w[..., ::-1])
            gw += np.einsum("no,ncij->ocij", u[:, :, i, j], x[:, :, i : i + k, j : j + k])
    return gx, gw


def wrong_if_long(u, x):
    return -sine_vjp(u, x) if x.size > 900 else sine_vjp(u, x)


def both_tied_vjp(u, a, b):
    return u * (a >= b), u * (b >= a)


def clipped_vjp(u, x):
    return np.clip(u * (x > 0), -5, 5)


LARGE = {
    "elementwise": (sine, negative_vjp, (RNG.normal(size=(60, 40)),)),
    "images": (images, images_vjp, (RNG.normal(size=(2, 3, 7, 6)), RNG.normal(size=(2, 3, 2, 2)))),
    "wrong where it is large": (sine, wrong_if_long, (RNG.normal(size=(40, 50)),)),
    "in single precision": (sine, wrong_if_long, (RNG.normal(size=(40, 50)).astype("f"),)),
}


@pytest.mark.parametrize("name", LARGE)
def test_the_lines_of_a_large_point_can_be_pasted_and_are_short(name):
    forward, rule, point = LARGE[name]
    result = gradproof.check_vjp(forward, rule, point, examples=2)
    assert result.refused
    assert len(result.reproduce.splitlines()) < 45
    g, names = run(result, {rule.__name__: rule})
    comment = next(line for line in result.reproduce.splitlines() if line.startswith("# x["))
    index = tuple(int(k) for k in comment.partition("[")[2].partition("]")[0].split(","))
    first = np.asarray(g[0] if isinstance(g, tuple) else g)
    assert names["x"].dtype == point[0].dtype
    assert first[index] == pytest.approx(float(comment.partition(" is ")[2].partition(",")[0]))


def test_a_gradient_of_another_shape_is_said_above_the_call(results):
    assert "# returns (1, 3, 4) for x, should be (3, 4)" in results["shape"].reproduce


def test_what_is_shown_is_off():
    result = gradproof.check_vjp(relu, clipped_vjp, (X,), shapes="x: n d -> y: n d")
    assert result.causes[0] == "nonlinear"
    assert "off by" not in str(result) or all(abs(got - should) > 1e-9 for _, got, should in result.where.values())
    assert "is not the negated" in str(result) or "is not 2 vjp" in str(result) or "is 5.0, should" in str(result)


def test_at_a_tie_other_values_are_said_to_be_right_too():
    result = gradproof.check_vjp(np.maximum, both_tied_vjp, (X, X + 0.5))
    assert result.refused
    assert "or another valid subgradient" in str(result)
    assert "valid" not in str(gradproof.check_vjp(sine, negative_vjp, (X,), examples=2))


def test_samples_are_labelled_and_verdicts_name_them(results):
    result = results["factor"]
    assert result.samples[0] == "0:given"
    assert result.samples[1].startswith("1:random n=")
    assert len(result.samples) == len(set(result.samples)) == 11
    beside = {v.sample for v in result.verdicts} - set(result.samples)
    assert all(label.split(":")[1].split(" ")[0] in ("beside", "turned") for label in beside)


def test_the_number_of_refusing_samples_never_exceeds_their_number(results):
    for name in ("factor", "sign", "nan", "kink", "raises"):
        text = str(results[name])
        count, total = text.split("refuse it, on ")[1].split(" samples")[0].split(" of ")
        assert 0 < int(count) <= int(total) == len(results[name].samples)


def test_what_was_kept_and_dropped_is_said():
    def picky(x):
        if (x == 0).any():
            raise ValueError("zero")
        return np.log(np.abs(x))

    result = gradproof.check_vjp(picky, lambda u, x: u / x, (np.array([1.0, 2.0, -3.0]),))
    text = str(result)
    assert "variations kept what the point has (x: integers)" in text
    assert "varied points were dropped: the forward is not finite there or raises" in text


def test_repr_counts_the_words(results):
    assert repr(results["sign"]).startswith("<gradproof.Result negative_vjp: ")
    assert "differs" in repr(results["sign"])
