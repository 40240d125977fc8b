"""Identities proved by computer algebra: a printed formula run on symbols, its difference from the
derivative brought to zero.

The derivative is SymPy's, of the setting's forward pass written out on symbols. Exponentials of sums of
integer multiples of symbols become monomials, so that what is left is a rational function, and a rational
function is zero exactly when `cancel` makes it 0: the answer is a proof at the sizes at which the setting
states its symbols. SymPy is imported when asked.
"""

from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
import sympy

from gradproof.claims.record import Claim, Reading, parts
from gradproof.claims.sample import Undefined
from gradproof.claims.setting import Setting

Array = Any


class Symbols:
    """A sample of symbols: the same names and functions as `gradproof.claims.sample.Sample`."""

    def __init__(self, setting: Setting, values: dict[str, Array]) -> None:
        self._setting, self._values = setting, values
        self._slopes: dict[tuple[str, str], Array] = {}

    exp = staticmethod(np.vectorize(sympy.exp, otypes=[object]))
    log = staticmethod(np.vectorize(sympy.log, otypes=[object]))
    tanh = staticmethod(np.vectorize(lambda x: sympy.tanh(x).rewrite(sympy.exp), otypes=[object]))

    def __getattr__(self, name: str) -> Array:
        if name.startswith("_"):
            raise AttributeError(name)
        if name not in self._values:
            stages = dict(self._setting.stages)
            if name not in stages:
                raise AttributeError(f"setting {self._setting.name!r} has no symbols for {name!r}")
            self._values[name] = np.asarray(stages[name](self), dtype=object)
        return self._values[name]

    def d(self, of: str, wrt: str) -> Array:
        """The derivative of one stage with respect to another, what is not downstream of the second held
        fixed.
        """
        if (of, wrt) not in self._slopes:
            self._slopes[of, wrt] = self._slope(of, wrt)
        return self._slopes[of, wrt]

    def _slope(self, of: str, wrt: str) -> Array:
        here = getattr(self, wrt)
        inputs = {
            name: value for name, value in self._values.items() if name not in dict(self._setting.stages)
        }
        fresh = symbols(f"{wrt}_here", here.shape)
        top = np.asarray(getattr(Symbols(self._setting, {**inputs, wrt: fresh}), of), dtype=object)
        back = list(zip(fresh.flat, here.flat, strict=True))
        slopes = [sympy.diff(entry, unknown).subs(back) for entry in top.flat for unknown in fresh.flat]
        return np.array(slopes, dtype=object).reshape(top.shape + here.shape)

    def diff(self, function: Callable[[Array], Any], x: Array, *index: int) -> Any:
        """The derivative of `function` of the array `x` with respect to its entry `index`."""
        fresh = symbols("x_here", x.shape)
        slope = sympy.diff(np.asarray(function(fresh), dtype=object).item(), fresh[index])
        return slope.subs(list(zip(fresh.flat, x.flat, strict=True)))

    def absent(self, words: str) -> Any:
        """Say that the printed formula names something that does not exist."""
        raise Undefined(words)


def symbols(name: str, shape: tuple[int, ...]) -> Array:
    """An object array of real symbols, each named after its place."""
    out = np.empty(shape, dtype=object)
    for place in np.ndindex(shape):
        out[place] = sympy.Symbol("_".join([name, *map(str, place)]), real=True)
    return out


_kept: dict[tuple[int, str], tuple[Setting, list[Symbols]]] = {}


def samples(setting: Setting, given: str = "") -> list[Symbols]:
    """One sample of symbols for each of the sizes at which the setting states them; made once."""
    key = (id(setting), given)
    if key not in _kept:
        made = []
        for sizes in setting.symbols:
            shapes = setting.unknowns(sizes, given)
            values = {
                name: shape if isinstance(shape, int) else symbols(name, shape)
                for name, shape in shapes.items()
            }
            made.append(Symbols(setting, setting.assume(values, given)))
        _kept[key] = (setting, made)  # the setting too, so that its id is not given to another
    return _kept[key][1]


def proved(claim: Claim, samples: Iterable[Symbols], readings: tuple[Reading, ...]) -> bool:
    """Whether every member is identically the claim's quantity, at every size at which the setting states
    its symbols.
    """
    found = False
    for sample in samples:
        truth = np.asarray(quantity(sample, claim.of), dtype=object)
        truth = np.asarray(truth[claim.at] if claim.at is not None else truth, dtype=object)
        for reading in readings:
            try:
                value = np.asarray(reading(sample), dtype=object)
            except (Undefined, IndexError, ValueError):
                return False
            if value.shape != truth.shape or not all(
                vanishes(a - b) for a, b in zip(value.flat, truth.flat, strict=True)
            ):
                return False
            found = True
    return found


def quantity(sample: Symbols, words: str) -> Array:
    """A value, a derivative, or the step of gradient descent, in symbols."""
    of, wrt = parts(words)
    if of == "step":
        return getattr(sample, wrt) - sample.alpha * sample.d("J", wrt)
    return sample.d(of, wrt) if wrt else getattr(sample, of)


def vanishes(expression: Any) -> bool:
    """Whether the expression is zero identically: a proof where it says True."""
    rational = monomials(sympy.sympify(expression))
    logs = sorted(rational.atoms(sympy.log), key=sympy.default_sort_key)
    rational = rational.subs({log: sympy.Dummy(f"log{number}") for number, log in enumerate(logs)})
    return bool(sympy.cancel(sympy.together(rational)) == 0)


def monomials(expression: Any) -> Any:
    """exp(2 x - y) as E_x^2 / E_y; an exponent that is no sum of integer multiples of symbols is left as
    it is.
    """

    def monomial(exponent: Any) -> Any:
        terms = sympy.expand(exponent).as_coefficients_dict()
        if not all(
            factor.is_Integer and (symbol.is_Symbol or symbol == 1) for symbol, factor in terms.items()
        ):
            return sympy.exp(exponent)
        return sympy.Mul(
            *(
                (sympy.E if symbol == 1 else sympy.Symbol(f"E_{symbol.name}", positive=True)) ** factor
                for symbol, factor in terms.items()
            )
        )

    return expression.replace(sympy.exp, monomial)
