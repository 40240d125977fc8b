"""check_torch: right Functions pass, and each fault that only torch knows is refused by name."""

import numpy as np
import pytest

import gradproof

torch = pytest.importorskip("torch")
jax = pytest.importorskip("jax")

X = np.array([[0.5, -1.25, 2.0], [1.5, 0.75, -0.375]])
W = np.array([[1.25, 0.5, -2.5], [0.25, 3.0, 1.125]])


def flat(result):
    """The explanation without its line breaks."""
    return " ".join(str(result).split())


class Product(torch.autograd.Function):
    """x w, and its derivatives; the wrong ones below change the backward alone."""

    @staticmethod
    def forward(ctx, x, w):
        ctx.save_for_backward(x, w)
        return x * w

    @staticmethod
    def backward(ctx, grad):
        x, w = ctx.saved_tensors
        return grad * w, grad * x


class Lean(Product):
    """Computes only what is needed: None where nothing is asked."""

    @staticmethod
    def backward(ctx, grad):
        x, w = ctx.saved_tensors
        needs_x, needs_w = ctx.needs_input_grad
        return grad * w if needs_x else None, grad * x if needs_w else None


class Apart(torch.autograd.Function):
    """The newer form, with setup_context."""

    @staticmethod
    def forward(x, w):
        return x * w

    @staticmethod
    def setup_context(ctx, inputs, output):
        ctx.save_for_backward(*inputs)

    @staticmethod
    def backward(ctx, grad):
        x, w = ctx.saved_tensors
        return grad * w, grad * x


class Sum(torch.autograd.Function):
    """A backward that expands: stride 0, and no memory of its own."""

    @staticmethod
    def forward(ctx, x):
        ctx.shape = x.shape
        return x.sum()

    @staticmethod
    def backward(ctx, grad):
        return grad.expand(ctx.shape)


class HandOn(torch.autograd.Function):
    """grad_output itself for both: what torch's own addition does."""

    @staticmethod
    def forward(ctx, x, w):
        return x + w

    @staticmethod
    def backward(ctx, grad):
        return grad, grad


class Pair(torch.autograd.Function):
    """Two outputs."""

    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return x.sin(), x.cos()

    @staticmethod
    def backward(ctx, first, second):
        (x,) = ctx.saved_tensors
        return first * x.cos() - second * x.sin()


RIGHT = [Product, Lean, Apart, HandOn]


@pytest.mark.parametrize("function", RIGHT, ids=lambda f: f.__name__)
def test_right_functions_of_two_inputs_agree(function):
    result = gradproof.check_torch(function.apply, (X, W), shapes="x: n d, w: n d -> z: n d")
    assert result.ok, str(result)
    assert result.word == "agrees"
    assert result.warnings == ()
    assert result.name == function.__name__


@pytest.mark.parametrize(("function", "point"), [(Sum, X), (Pair, X), (Pair, X[0])])
def test_right_functions_of_one_input_agree(function, point):
    result = gradproof.check_torch(function.apply, (point,))
    assert result.ok, str(result)


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.float16, torch.bfloat16])
def test_tensors_of_every_dtype_are_taken(dtype):
    point = torch.tensor(X).to(dtype), torch.tensor(W).to(dtype).requires_grad_()
    assert gradproof.check_torch(Product.apply, point).ok
    spoilt = gradproof.check_torch(lambda x, w: Scaled.apply(x, w), point)
    assert spoilt.refused
    assert spoilt.verdicts[-1].input == "w"


class Scaled(Product):
    @staticmethod
    def backward(ctx, grad):
        x, w = ctx.saved_tensors
        return grad * w, 1.1 * grad * x


def test_a_slightly_wrong_gradient_is_located_and_named():
    class Slightly(Product):
        @staticmethod
        def backward(ctx, grad):
            x, w = ctx.saved_tensors
            second = grad * x
            second[0, 1] *= 1 + 1e-7
            return grad * w, second

    result = gradproof.check_torch(Slightly.apply, (X, W))
    assert result.word == "differs"
    assert set(result.where) == {"w"}
    assert result.where["w"][0] == (0, 1)
    assert {v.input for v in result.verdicts if v.word == "differs"} == {"w"}


class OnlyFirst(Product):
    """Returns the second gradient only when the first is asked for too."""

    @staticmethod
    def backward(ctx, grad):
        x, w = ctx.saved_tensors
        return (grad * w, grad * x) if ctx.needs_input_grad[0] else (None, None)


class WrongPosition(Product):
    """Packs the gradients that are needed from the left."""

    @staticmethod
    def backward(ctx, grad):
        x, w = ctx.saved_tensors
        made = [g for g, needed in zip((grad * w, grad * x), ctx.needs_input_grad, strict=True) if needed]
        return (*made, *[None] * (2 - len(made)))


class WrongBranch(Product):
    """Another formula where only one gradient is needed."""

    @staticmethod
    def backward(ctx, grad):
        x, w = ctx.saved_tensors
        return grad * w, grad * x * (1 if all(ctx.needs_input_grad) else 2)


class Raising(Product):
    """A name that exists only where both are needed."""

    @staticmethod
    def backward(ctx, grad):
        x, w = ctx.saved_tensors
        if ctx.needs_input_grad[0]:
            first = grad * w
        return first, grad * x


@pytest.mark.parametrize("function", [OnlyFirst, WrongPosition, WrongBranch, Raising], ids=lambda f: f.__name__)
def test_a_gradient_that_depends_on_what_else_is_asked_is_refused(function):
    result = gradproof.check_torch(function.apply, (X, W))
    assert result.refused
    assert "needs_input_grad" in {v.check for v in result.verdicts}
    assert "where only w requires a gradient" in flat(result)


class Consuming(Product):
    """Throws away what it saved."""

    @staticmethod
    def forward(ctx, x, w):
        ctx.kept = [x, w]
        return x * w

    @staticmethod
    def backward(ctx, grad):
        w, x = ctx.kept.pop(), ctx.kept.pop()
        return grad * w, grad * x


class Scratch(Product):
    """Uses a saved buffer as scratch space."""

    @staticmethod
    def forward(ctx, x, w):
        ctx.x, ctx.w = x.clone(), w.clone()
        return x * w

    @staticmethod
    def backward(ctx, grad):
        first = grad * ctx.w
        return first, ctx.x.mul_(grad)


class OnClass(Product):
    """Keeps its state on the class in place of ctx."""

    @staticmethod
    def forward(ctx, x, w):
        OnClass.kept = x.clone(), w.clone()
        return x * w

    @staticmethod
    def backward(ctx, grad):
        x, w = OnClass.kept
        return grad * w, grad * x


@pytest.mark.parametrize(
    ("function", "said"),
    [
        (Consuming, "a second backward through the same graph (retain_graph=True) raised IndexError"),
        (Scratch, "gives another gradient of w: what was saved was changed"),
        (OnClass, "after another forward in between the gradient of"),
    ],
    ids=lambda f: getattr(f, "__name__", ""),
)
def test_state_of_the_backward_is_refused(function, said):
    result = gradproof.check_torch(function.apply, (X, W))
    assert result.refused
    assert "state" in {v.check for v in result.verdicts if v.word == "differs"}
    assert said in flat(result)
    assert "second_call" in result.causes


def test_a_buffer_that_is_returned_again_is_refused():
    buffer = torch.zeros(2, 3, dtype=torch.float64)

    class Reusing(Product):
        @staticmethod
        def backward(ctx, grad):
            x, w = ctx.saved_tensors
            out = buffer if grad.shape == buffer.shape and grad.dtype == buffer.dtype else torch.empty_like(grad)
            return torch.mul(grad, w, out=out), grad * x

    result = gradproof.check_torch(Reusing.apply, (X, W))
    assert result.refused
    assert "state" in {v.check for v in result.verdicts if v.word == "differs"}


def test_writing_into_grad_output_is_refused():
    class Writing(Product):
        @staticmethod
        def backward(ctx, grad):
            x, w = ctx.saved_tensors
            second = grad * x
            return grad.mul_(w), second

    result = gradproof.check_torch(Writing.apply, (X, W))
    assert result.refused
    assert result.causes[0] == "argument_changed"


def test_a_backward_that_reads_raw_memory_of_an_expanded_cotangent_is_refused():
    class Raw(Product):
        @staticmethod
        def backward(ctx, grad):
            x, w = ctx.saved_tensors
            flat = torch.as_strided(grad, (grad.numel(),), (1 if grad.is_contiguous() else 0,)).reshape(grad.shape)
            return flat * w, grad * x

    result = gradproof.check_torch(Raw.apply, (X, W))
    assert result.refused
    assert "layout" in {v.check for v in result.verdicts if v.word == "differs"}


def test_an_output_that_nobody_uses_must_not_matter():
    class Unmaterialized(Pair):
        @staticmethod
        def forward(ctx, x):
            ctx.set_materialize_grads(False)
            ctx.save_for_backward(x)
            return x.sin(), x.cos()

    result = gradproof.check_torch(Unmaterialized.apply, (X,))
    assert result.refused
    assert "unused_output" in {v.check for v in result.verdicts}
    assert "where only output 0 is used the backward raised TypeError" in flat(result)


def test_none_for_a_differentiated_input_is_missing_with_the_remedy():
    class Forgetful(Product):
        @staticmethod
        def backward(ctx, grad):
            return grad * ctx.saved_tensors[1], None

    result = gradproof.check_torch(Forgetful.apply, (X, W))
    assert result.word == "missing"
    assert "constant='w'" in flat(result)
    assert gradproof.check_torch(Forgetful.apply, (X, W), constant="w").ok


def test_the_strict_word_holds_for_memory_that_torch_hands_on():
    strict = gradproof.check_torch(HandOn.apply, (X, W), strict=True)
    assert "aliased" in {v.check for v in strict.verdicts if v.word == "differs"}


def test_what_torch_differentiates_itself_agrees_with_a_reference():
    result = gradproof.check_torch(
        torch.nn.functional.silu, (X,), torch=lambda input: input * torch.sigmoid(input), jax=jax.nn.silu
    )
    assert result.ok, str(result)
    assert {"torch", "jax", "differences"} <= {v.oracle for v in result.verdicts}


def test_a_reference_of_another_function_is_the_callers_mistake():
    with pytest.raises(gradproof.InputError, match="the torch forward is another function"):
        gradproof.check_torch(Product.apply, (X, W), torch=lambda x, w: x * w + 0.5)


def test_what_is_no_tensor_reaches_the_function_unchanged():
    class Power(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x, index, power, mode):
            assert isinstance(power, int)
            assert mode == "sum"
            assert index.dtype == torch.int64
            ctx.save_for_backward(x, index)
            ctx.power = power
            return x[index] ** power

        @staticmethod
        def backward(ctx, grad):
            x, index = ctx.saved_tensors
            made = torch.zeros_like(x).index_add_(0, index, grad * ctx.power * x[index] ** (ctx.power - 1))
            return made, None, None, None

    assert gradproof.check_torch(Power.apply, (X, np.array([0, 1, 1]), 3, "sum")).ok


def test_a_sampler_may_draw_tensors():
    def sampler(rng):
        return torch.tensor(rng.normal(size=(rng.integers(1, 5), 3))), torch.tensor(rng.normal(size=3))

    assert gradproof.check_torch(lambda x, w: x * w, sampler).ok


def test_a_functions_own_forward_mode_is_judged():
    class Forward(Product):
        factor = 1.0

        @staticmethod
        def forward(ctx, x, w):
            ctx.save_for_backward(x, w)
            ctx.save_for_forward(x, w)
            return x * w

        @staticmethod
        def jvp(ctx, x_dot, w_dot):
            x, w = ctx.saved_tensors
            return x_dot * w + Forward.factor * x * w_dot

    right = gradproof.check_torch(Forward.apply, (X, W))
    assert right.ok, str(right)
    assert "jvp" in {v.check for v in right.verdicts}
    Forward.factor = -1.0
    wrong = gradproof.check_torch(Forward.apply, (X, W))
    assert wrong.refused
    assert {v.check for v in wrong.verdicts if v.word == "differs"} == {"jvp"}
    assert "in forward mode" in flat(wrong)


def test_what_torch_warns_of_at_an_empty_axis_is_judged_by_its_outcome():
    class Spread(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            ctx.save_for_backward(x)
            return x.var(0, unbiased=False)  # torch warns where there are no rows

        @staticmethod
        def backward(ctx, grad):
            (x,) = ctx.saved_tensors
            return 2 * grad * (x - x.mean(0)) / len(x)

    result = gradproof.check_torch(lambda x: Spread.apply(x).nan_to_num(), (X,), shapes="x: n d -> z: d")
    assert result.ok, str(result)
    assert any("empty" in sample for sample in result.samples)


def test_the_threads_and_modes_of_torch_are_left_as_they_were():
    threads = torch.get_num_threads()
    with torch.no_grad():
        assert gradproof.check_torch(Product.apply, (X, W), examples=2).ok
        assert not torch.is_grad_enabled()
    assert torch.get_num_threads() == threads


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ((Product, (X, W)), "Product is the Function itself; give Product.apply"),
        ((None, (X, W)), "expected Function.apply or a function of torch"),
        ((Product.apply, X), "expected a tuple of the forward's inputs"),
        ((lambda x: x.tolist(), (X,)), "return it as it is, without .item(), .tolist() or .numpy()"),
        ((lambda x: x @ x, (X,)), "the forward raised RuntimeError at the given point"),
    ],
)
def test_the_callers_own_mistakes_are_said(given, said):
    with pytest.raises(gradproof.InputError) as error:
        gradproof.check_torch(*given)
    assert said in str(error.value)
    assert "\n" not in str(error.value)


def test_an_unknown_option_is_named():
    with pytest.raises(TypeError, match="sample"):
        gradproof.check_torch(Product.apply, (X, W), sample=3)


@pytest.mark.parametrize("known", ["Scaled", "fn"])
def test_the_lines_that_reproduce_run_when_pasted(capsys, known):
    function = Scaled.apply if known == "Scaled" else lambda x, w: Scaled.apply(x, w)
    result = gradproof.check_torch(function, (X, W))
    assert result.refused
    assert "\n".join("    " + line for line in result.reproduce.splitlines()) in str(result)
    exec(result.reproduce, {known: Scaled if known == "Scaled" else function})
    assert "tensor" in capsys.readouterr().out


def test_the_lines_of_a_wrong_forward_mode_run_when_pasted(capsys):
    class Half(Product):
        @staticmethod
        def forward(ctx, x, w):
            ctx.save_for_backward(x, w)
            ctx.save_for_forward(x, w)
            return x * w

        @staticmethod
        def jvp(ctx, x_dot, w_dot):
            x, w = ctx.saved_tensors
            return x_dot * w + 0.5 * x * w_dot

    result = gradproof.check_torch(Half.apply, (X, W))
    assert result.refused
    exec(result.reproduce, {"Half": Half})
    assert capsys.readouterr().out.startswith("[[")
