"""An explanation in words."""

from __future__ import annotations

from collections.abc import Sequence

from allred import _core
from allred.cli.bench.plan import REDUCING
from allred.cli.explain.explanation import Explanation
from allred.cli.sizes import format_size
from allred.cli.units import format_bytes, format_seconds

SHOWN_STEPS = 40


def describe(explanation: Explanation) -> list[str]:
    """The explanation, line by line."""
    call = explanation.call
    size = f" of {format_size(call.bytes)} ({call.count:,} {call.dtype})" if call.count else ""
    op = f", {explanation.op}" if call.collective in REDUCING else ""
    lines = [f"{call.collective}{size}{op} on {call.ranks} ranks: {explanation.algorithm}"]
    lines += [f"  {reason}" for reason in explanation.reasons]
    if explanation.prediction is not None:
        lines += ["costs (a rank; of the rank that has most)", *_costs(explanation, explanation.prediction)]
    schedules = explanation.schedules()
    if schedules:
        lines += [f"steps of {_first_line(schedules[explanation.root])}"]
        lines += _shortened(str(schedules[explanation.root]).splitlines()[1:])
    return lines


def _costs(explanation: Explanation, prediction: _core.Prediction) -> list[str]:
    if explanation.has_steps:
        moved = f"sends {format_bytes(prediction.sent_bytes)} in {prediction.sent_messages:,} messages"
        chain = f"{prediction.hops:,} on the longest chain, in which each waits for the one before"
    else:
        moved = f"reads {format_bytes(prediction.sent_bytes)} of its peers' memory"
        chain = f"in {prediction.sent_messages // prediction.hops:,} rounds of {prediction.hops:,} exchanges"
    return [
        f"  {moved}; {chain}",
        f"  about {format_seconds(prediction.seconds)} by the model of `allred simulate`, with its default costs "
        "or those given",
    ]


def _first_line(schedule: _core.Schedule) -> str:
    return str(schedule).splitlines()[0]


def _shortened(lines: Sequence[str]) -> list[str]:
    shown = [f"  {line}" for line in lines[:SHOWN_STEPS]]
    left = len(lines) - len(shown)
    return [*shown, f"  ... and {left:,} more: --json FILE has the steps of all ranks"] if left else shown
