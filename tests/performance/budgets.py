"""What a call may cost, on any machine: the one table that the performance gate compares with.

Counted on a rank whose peer is always there before it, instruction by instruction, so that neither load nor the
machine's speed matters. Large calls are measured in units that are counted in the same run: the copy and the reduction
of the whole message (32 KiB on two ranks).
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Budget:
    """Upper limits of a call.

    Attributes:
        why: where the numbers come from.
        instructions: beside what copies and reductions take.
        copies: of the whole message.
        reductions: of the whole message.
        like: the call whose instructions, times `times`, are the limit instead.
        system_calls: none: one takes as long as the whole of a small call.
    """

    why: str
    instructions: int = 0
    copies: float = 0.0
    reductions: float = 0.0
    like: str = ""
    times: float = 1.0
    system_calls: int = 0


# Instructions of a call of 4 bytes, as g++ 12 compiles it for x86-64. Other compilers differ by a fifth. A hundred of
# them see to it that no line crosses between cores for nothing, or after another: a copy of this rank's own post, and
# what is asked for ahead.
SMALL = {
    "all_reduce": 1195,
    "broadcast": 1076,
    "reduce": 1172,
    "all_gather": 1190,
    "gather": 1308,
    "scatter": 1250,
    "reduce_scatter": 1302,
    "all_to_all": 2095,
    "barrier": 976,
}
TOLERANCE = 1.25

# Less than any copy that could be added, and more than compilers differ in the loops around those that are there.
LARGE = round(TOLERANCE * SMALL["all_reduce"]) + 1500
SHARED_REDUCTION = 0.75  # half the message, and every vector is stored twice: for this rank and for its peer

BUDGETS = {
    **{
        f"small {name}": Budget(f"{count}, and a quarter for other compilers", round(TOLERANCE * count))
        for name, count in SMALL.items()
    },
    "large one_shot": Budget("into the mailbox; the sum goes straight to the output", LARGE, 1, 1),
    "large two_shot": Budget(
        "half a message each: what the peer reduces to its slot, and the peer's sum from there",
        LARGE,
        1,
        SHARED_REDUCTION,
    ),
    "large symmetric": Budget("the reduction writes into the peer's buffer, too", LARGE, 0, SHARED_REDUCTION),
    "numpy all_reduce": Budget("1525 under CPython 3.11, and half as much for others", 2300),
    "numpy send and recv": Budget("3938 under CPython 3.11, which is two calls", 4800),
    "torch all_reduce": Budget("0.96 times: torch makes no Work of it", like="fake all_reduce", times=1.05),
}
