"""The textbook's check: (f(x + h e) - f(x - h e)) / 2h for every entry; h = 1e-5, rtol 1e-5, atol 1e-8."""

import numpy as np

from benchmarks.corpus.calling import Point, copied
from benchmarks.tools.tool import Outcome, Question, RuleFault, Tool, inside

STEP, RELATIVE, ABSOLUTE = 1e-5, 1e-5, 1e-8


class CentralDifference(Tool):
    name = "central difference"
    locates = True

    def at(self, question: Question, point: Point) -> Outcome:
        keys, forward, rule = inside(question, point)
        varied = [np.array(point[k]) for k in keys]
        rng = np.random.default_rng(question.seed)
        cotangents = tuple(rng.standard_normal(z.shape).astype(z.dtype) for z in forward(*varied))
        try:
            found = rule(copied(cotangents), *copied(tuple(varied)))
        except RuleFault as error:
            return Outcome("refused", str(error))
        worst, where = 0.0, None
        for k, (x, g) in enumerate(zip(varied, found, strict=True)):
            if g.shape != x.shape:
                return Outcome("refused", f"shape {g.shape} for {x.shape}")
            for index in np.ndindex(x.shape):
                kept = x[index]
                values = []
                for step in (STEP, -STEP):
                    x[index] = kept + step
                    pairs = zip(cotangents, forward(*varied), strict=True)
                    values.append(sum(float((u.astype(float) * z.astype(float)).sum()) for u, z in pairs))
                x[index] = kept
                slope = (values[0] - values[1]) / (2 * STEP)
                excess = abs(float(g[index]) - slope) / (ABSOLUTE + RELATIVE * abs(slope))
                if not excess <= max(worst, 1):
                    worst, where = excess, (keys[k], index)
        if where is not None:
            return Outcome("refused", f"input {where[0]} at {where[1]}", where=where)
        return Outcome("passed")
