"""The shape language: what it reads, what it draws, and one line for each string that contradicts itself."""

import numpy as np
import pytest

from gradproof.errors import DeclarationError, InputError
from gradproof.sampling.shapes import Shapes, draw_sizes

AFFINE = "x: n d, w: d m, b: m -> z: n m"
POOL = "x: n c h w -> z: n c (h-p+2*pad)//stride+1 (w-p+2*pad)//stride+1"
STATIC = {"p": 2, "pad": 1, "stride": 3}


def sizes(text, kind, static=None, seed=0):
    static = static or {}
    return draw_sizes(Shapes.parse(text, static), kind, static, np.random.default_rng(seed))


def test_inputs_outputs_and_symbols_are_read_in_order():
    shapes = Shapes.parse(AFFINE)
    assert [str(slot) for slot in shapes.inputs] == ["x: n d", "w: d m", "b: m"]
    assert [str(slot) for slot in shapes.outputs] == ["z: n m"]
    assert shapes.symbols == ("n", "d", "m")


def test_no_axis_after_the_colon_is_a_number():
    shapes = Shapes.parse("x: n -> loss:")
    assert shapes.output_shapes({"n": 3}) == [()]


def test_axes_are_computed_from_symbols_and_static_parameters():
    shapes = Shapes.parse(POOL, STATIC)
    assert shapes.symbols == ("n", "c", "h", "w")
    assert shapes.output_shapes({"n": 2, "c": 3, "h": 8, "w": 5, **STATIC}) == [(2, 3, 3, 2)]


def test_numbers_brackets_and_signs_are_arithmetic():
    shapes = Shapes.parse("x: n 3 -> z: 2*(n+1) -1+n n-1")
    assert shapes.input_shapes({"n": 4}) == [(4, 3)]
    assert shapes.output_shapes({"n": 4}) == [(10, 3, 3)]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("x: n d", "expected one '->' between inputs and outputs"),
        ("x: n -> z: n -> y: n", "expected one '->'"),
        (7, "shape string 7: expected one '->'"),
        (" -> z: n", "no input before '->'"),
        ("x n -> z: n", "'x n' names no array; expected 'name: axis axis'"),
        ("2x: n -> z: n", "'2x: n' names no array"),
        ("x: n, -> z: n", "an array has no name; expected 'name: axis axis', such as 'x: n d', or 'y:' for one number"),
        ("x: n ->", "an array has no name"),
        ("x: n, x: n -> z: n", "'x' is declared twice; give each array a name of its own"),
        ("x: n -> x: n", "'x' is declared twice"),
        ("x: n -> z: m", "'m' in axis 'm' of 'z' is no axis of an input and no static parameter"),
        ("x: n+k -> z: n", "is no axis of an input"),
        ("x: n/2 n -> z: n", "axis 'n/2' is no size; expected a symbol, a whole number, or arithmetic"),
        ("x: n**2 n -> z: n", "axis 'n**2' is no size"),
        ("x: n 1.5 -> z: n", "axis '1.5' is no size"),
        ("x: n n//0 -> z: n", "axis 'n//0' is no size"),
        ("x: n f(n) -> z: n", "axis 'f(n)' is no size"),
        ("x: n+ -> z: n", "axis 'n+' is no size"),
    ],
)
def test_a_string_that_contradicts_itself_is_refused_in_one_line(text, said):
    with pytest.raises(DeclarationError) as caught:
        Shapes.parse(text)
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)


def test_sizes_are_read_off_the_arrays():
    arrays = [np.zeros((3, 4)), np.zeros((4, 2)), np.zeros(2)]
    assert Shapes.parse(AFFINE).bind(arrays) == {"n": 3, "d": 4, "m": 2}


@pytest.mark.parametrize(
    ("shapes", "said"),
    [
        ([(3, 4), (4, 2)], "names 3 inputs, 2 were given"),
        ([(3, 4), (4, 2), (2, 1)], "input 'b' has shape (2, 1); the shape string"),
        ([(3, 4), (5, 2), (2,)], "input 'w' has shape (5, 2)"),
        ([(3, 4), (5, 2), (2,)], "makes its axis 'd' 4 long (from 'x')"),
    ],
)
def test_arrays_that_do_not_fit_are_refused(shapes, said):
    with pytest.raises(InputError) as caught:
        Shapes.parse(AFFINE).bind([np.zeros(shape) for shape in shapes])
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_computed_axis_of_an_input_is_held_against_its_array():
    shapes = Shapes.parse("x: n, w: n-1 -> z: n")
    assert shapes.bind([np.zeros(4), np.zeros(3)]) == {"n": 4}
    with pytest.raises(InputError, match="makes its axis 'n-1' 3 long"):
        shapes.bind([np.zeros(4), np.zeros(4)])


@pytest.mark.parametrize("seed", range(5))
def test_distinct_sizes_differ_and_none_is_one(seed):
    drawn = list(sizes(AFFINE, "distinct", seed=seed).values())
    assert len(set(drawn)) == 3
    assert min(drawn) > 1


@pytest.mark.parametrize("seed", range(5))
def test_square_sizes_are_equal_and_ones_are_one(seed):
    square = sizes(AFFINE, "square", seed=seed)
    assert len(set(square.values())) == 1
    assert square["n"] > 1
    assert set(sizes(AFFINE, "ones", seed=seed).values()) == {1}


@pytest.mark.parametrize(("word", "size"), [("one", 1), ("zero", 0)])
def test_a_named_axis_has_size_one_or_zero(word, size):
    drawn = sizes(AFFINE, f"{word} d")
    assert drawn["d"] == size
    assert min(drawn["n"], drawn["m"]) > 1


def test_free_sizes_reach_from_one_to_the_largest():
    drawn = {sizes("x: n -> z: n", "free", seed=seed)["n"] for seed in range(60)}
    assert drawn == set(range(1, 8))


def test_a_drawn_pool_always_has_an_output():
    shapes = Shapes.parse(POOL, STATIC)
    for kind in ("distinct", "square", "free", "one h"):
        for seed in range(5):
            drawn = sizes(POOL, kind, STATIC, seed)
            assert min(n for shape in shapes.output_shapes(drawn) for n in shape) >= 1


def test_the_output_of_a_zero_axis_may_be_empty_but_no_other():
    drawn = sizes("x: n h -> z: n h-1", "zero n")
    assert drawn["n"] == 0
    assert drawn["h"] >= 2


@pytest.mark.parametrize("kind", ["ones", "zero h", "one h", "one q"])
def test_where_a_kind_does_not_fit_nothing_is_drawn(kind):
    assert sizes("x: n h -> z: n h-1", kind) is None


def test_a_static_parameter_is_not_drawn():
    assert sizes("x: n k -> z: n", "ones", {"k": 4}) == {"n": 1, "k": 4}
    assert sizes("x: n k -> z: n", "one k", {"k": 4}) is None


def test_one_seed_draws_one_set_of_sizes():
    assert sizes(AFFINE, "free", seed=3) == sizes(AFFINE, "free", seed=3)
