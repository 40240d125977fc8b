"""Whether a value that is being computed is what the outermost caller gets as it is: `return float(loss)`.

A float has no room for a ball. But where every frame, from the conversion up to the forward's caller, returns
next, nothing has read the float, branched on it or computed with it: it only names the ball it came from.
"""

from __future__ import annotations

import dis
from types import CodeType, FrameType


def returned_at_once(frame: FrameType | None, caller: CodeType) -> bool:
    """Whether each frame from `frame` up to the one that runs `caller` returns the value of its call next."""
    while frame is not None and frame.f_code is not caller:
        steps = list(dis.get_instructions(frame.f_code))
        place = sum(step.offset <= frame.f_lasti for step in steps) - 1
        if steps[place].opname == "PRECALL":  # Python 3.11, once warm, calls here, and not at the CALL
            place += 1
        if steps[place + 1].opname != "RETURN_VALUE":
            return False
        frame = frame.f_back
    return frame is not None
