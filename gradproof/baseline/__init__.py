"""The baseline: what was true when it was last accepted, a line for each thing that was checked.

    record     the lines, and how they are made of results
    file       the file they are kept in, read with suspicion
    compare    what got worse, what other versions of the frameworks brought
    changes    what accepting would change
"""

from gradproof.baseline.changes import changes
from gradproof.baseline.compare import Regression, by_versions, moved, regressions, settled, told
from gradproof.baseline.file import NAME, SCHEMA, dump, read
from gradproof.baseline.record import Baseline, Claimed, Costed, Entry, Score, of_results, released

__all__ = [
    "NAME",
    "SCHEMA",
    "Baseline",
    "Claimed",
    "Costed",
    "Entry",
    "Regression",
    "Score",
    "by_versions",
    "changes",
    "dump",
    "moved",
    "of_results",
    "read",
    "regressions",
    "released",
    "settled",
    "told",
]
