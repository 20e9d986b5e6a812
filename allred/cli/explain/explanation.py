"""What is known of how a call is carried out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from allred import _core
from allred.cli.simulate.model import CallSize


@dataclass(frozen=True)
class Explanation:
    """A call and what is known of how it is carried out; `prediction` and `timeline` where there is a model of it."""

    call: CallSize
    op: str
    root: int
    algorithm: str
    reasons: list[str]
    prediction: _core.Prediction | None
    timeline: _core.Timeline | None

    @property
    def has_steps(self) -> bool:
        """Whether the algorithm is a schedule."""
        return (self.call.collective, self.algorithm) in _core.schedule_algorithms()

    def schedules(self) -> list[_core.Schedule]:
        """Those of all ranks; none of a direct algorithm."""
        call = self.call
        if not self.has_steps:
            return []
        return [
            _core.make_schedule(call.collective, self.algorithm, rank, call.ranks, call.count, self.root)
            for rank in range(call.ranks)
        ]


def document(explanation: Explanation) -> dict[str, Any]:
    """Everything, with the steps of all ranks as data."""
    call, prediction = explanation.call, explanation.prediction
    return {
        "collective": call.collective,
        "ranks": call.ranks,
        "bytes": call.bytes,
        "count": call.count,
        "dtype": call.dtype,
        "op": explanation.op,
        "root": explanation.root,
        "algorithm": explanation.algorithm,
        "reasons": explanation.reasons,
        "sent_bytes": prediction and prediction.sent_bytes,
        "sent_messages": prediction and prediction.sent_messages,
        "hops": prediction and prediction.hops,
        "predicted_seconds": prediction and prediction.seconds,
        "steps": [[_step(step) for step in schedule.steps] for schedule in explanation.schedules()],
    }


def _step(step: _core.Step) -> dict[str, Any]:
    found: dict[str, Any] = {"kind": step.kind, "range": _range(step.range), "after": step.after}
    if step.kind == "copy":
        return {**found, "source": _range(step.source)}
    return {**found, "peer": step.peer}


def _range(piece: _core.Range) -> dict[str, Any]:
    return {"buffer": piece.buffer, "offset": piece.offset, "count": piece.count}
