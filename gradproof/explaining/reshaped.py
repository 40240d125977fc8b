"""A condition on shapes undone: the rule at other sizes, drawn as the failing sample was.

Another shape has other values, so the failing shape is drawn anew as well, and has to fail.
"""

from __future__ import annotations

from dataclasses import replace

from gradproof.explaining.again import wrong
from gradproof.judging.bench import Bench
from gradproof.judging.trial import Trial
from gradproof.sampling.declared import Declared
from gradproof.sampling.given import Given
from gradproof.sampling.shapes import Shapes

# draws of each other shape, and where the failing shape does not fail at each
DRAWS, MANY_DRAWS = 2, 6
# what is added to the number of a sample for another draw of it
LATER = 70


def sizes_of(trial: Trial, source: Declared | Given) -> tuple[Shapes | None, dict[str, int]]:
    """The shape string, and the trial's sizes by symbol; None where there is none."""
    if isinstance(source, Declared):
        return source.equation.variants[0].shapes, dict(trial.sample.sizes)
    if source.shapes is None:
        return None, {}
    return source.shapes, dict(trial.sample.sizes or source.shapes.bind(trial.sample.inputs))


def reshaped(bench: Bench, trial: Trial, source: Declared | Given, position: int, name: str) -> bool | None:
    """Whether the rule fails on another draw of the failing shape and on no draw of one without the condition."""
    shapes, sizes = sizes_of(trial, source)
    if shapes is None:
        return None
    sample = trial.sample
    others = _without(shapes, sizes, name)
    if not others:
        return False

    def draw(chosen: dict[str, int], number: int) -> bool | None:
        resized = source.resize(replace(sample, sizes=sizes, index=sample.index + LATER * number), chosen)
        return None if resized is None else wrong(bench, resized, position)

    again = [draw(sizes, number) for number in range(DRAWS)]
    if True not in again:
        return False if False in again else None
    # what fails at some draws alone is right at others by chance
    count = DRAWS if set(again) == {True} else MANY_DRAWS
    answers = [draw(other, number) for other in others for number in range(count)]
    return None if set(answers) == {None} else True not in answers


def _without(shapes: Shapes, sizes: dict[str, int], name: str) -> list[dict[str, int]]:
    """Sizes that lack the condition, all else alike where that can be."""
    if name == "at_batch":
        axis = next((slot.axes[0] for slot in shapes.inputs if slot.axes), None)
        if axis is None or axis.text not in sizes:
            return []
        # an axis that a later one repeats, as in a square matrix, has no rows
        later = [a.text for slot in (*shapes.inputs, *shapes.outputs) for a in slot.axes[1:]]
        return [] if axis.text in later else [{**sizes, axis.text: 1}]
    if name == "at_batch_one":
        return [{k: n if n > 1 else size for k, n in sizes.items()} for size in (2, 3)]
    if name == "at_nonsquare":
        return [dict.fromkeys(sizes, size) for size in (2, 3)]
    distinct = list(range(2, 2 + len(sizes)))
    return [dict(zip(sizes, order, strict=True)) for order in (distinct, distinct[::-1])]
