"""The corpus: operations of deep learning and scientific NumPy, each with right derivatives by hand and wrong ones.

`OPERATIONS` walks the family modules in order; names are unique.
"""



from benchmarks.corpus import (
    activations,
    activations_kinked,
    affine,
    convolution,
    elementwise,
    indexing,
    linear_algebra,
    losses,
    normalisation,
    normalised,
    ordering,
    pooling,
    rearrangement,
    recurrent,
    reductions,
)
from benchmarks.corpus.record import Framework, Operation, Wrong, in_dtype, is_float

FAMILIES = (
    activations, activations_kinked, normalised, losses, affine, normalisation, indexing, reductions, ordering,
    elementwise, convolution, pooling, rearrangement, linear_algebra, recurrent,
)  # fmt: skip
OPERATIONS = tuple(operation for family in FAMILIES for operation in family.OPERATIONS)

__all__ = ["FAMILIES", "OPERATIONS", "Framework", "Operation", "Wrong", "in_dtype", "is_float"]
