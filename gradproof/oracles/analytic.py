"""Complex arrays that say so where a function of them is not analytic: abs, conj, real part, sign, norms.

The complex step Im f(x + ih v) / h is the derivative of an analytic f alone. What such a function drops may lie below
anything that differences see: log(1 + exp(-|x|)) beside x y in a binary cross-entropy of logits far from 0.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

_UFUNCS = frozenset({np.absolute, np.conjugate, np.sign})
# what of numpy.linalg is a rational function of the entries
_RATIONAL = frozenset({"inv", "solve", "det", "matmul", "multi_dot", "matrix_power", "trace", "outer", "tensordot"})
_FUNCTIONS = frozenset({"angle", "vdot", "real_if_close", "nan_to_num"})


class Analytic(np.ndarray[Any, Any]):
    """A complex array; a function that is not analytic raises TypeError."""

    def __array_ufunc__(self, ufunc: Any, method: str, *inputs: Any, out: Any = None, **options: Any) -> Any:
        if ufunc in _UFUNCS:
            raise TypeError(f"{ufunc.__name__} of a complex number is not analytic")
        if out is not None:
            options["out"] = tuple(_plain(one) for one in out)
        result = getattr(ufunc, method)(*[x.view(np.ndarray) if type(x) is Analytic else x for x in inputs], **options)
        if out is not None and len(out) == 1:
            return out[0]
        return result.view(Analytic) if type(result) is np.ndarray and result.dtype.kind == "c" else _analytic(result)

    def __array_function__(self, func: Callable[..., Any], types: Any, args: Any, kwargs: Any) -> Any:
        name, home = func.__name__, func.__module__ or ""
        if name in _FUNCTIONS or (home.startswith("numpy.linalg") and name not in _RATIONAL):
            raise TypeError(f"{name} of complex numbers is not analytic")
        return _analytic(super().__array_function__(func, types, args, kwargs))

    def _refuse(self) -> Any:
        raise TypeError("a part of a complex number is not analytic")

    real: Any = property(_refuse)
    imag: Any = property(_refuse)


def _plain(x: Any) -> Any:
    return x.view(np.ndarray) if isinstance(x, Analytic) else x


def _analytic(x: Any) -> Any:
    if isinstance(x, tuple | list):
        return type(x)(_analytic(one) for one in x)
    complex_ = isinstance(x, np.ndarray | np.generic) and np.iscomplexobj(x) and not isinstance(x, Analytic)
    return np.asarray(x).view(Analytic) if complex_ else x
