"""The one way in: load the claims, gather the evidence, judge each."""

import importlib
from collections.abc import Callable, Sequence

from gradproof.claims.evidence import Evidence
from gradproof.claims.judge import Finding, judge
from gradproof.claims.load import TRUTHS, Paper, load
from gradproof.claims.record import Claim


def check_paper(
    ids: Sequence[str] = (),
    *,
    seed: int = 0,
    paper: Paper | None = None,
    truths: str = TRUTHS,
    progress: Callable[[Claim], None] = lambda claim: None,
) -> tuple[Paper, list[Finding]]:
    """Judge the claims with these ids (or that begin with them; default all), in the order of the paper.

    Raises InputError for an id that no claim has.
    """
    paper = paper or load()
    claims = paper.select(tuple(ids))
    evidence = Evidence(claims, paper.settings, importlib.import_module(truths), seed)
    findings = []
    for claim in claims:
        progress(claim)
        findings.append(judge(claim, evidence))
    return paper, findings
