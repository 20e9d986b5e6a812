"""What of the communication a backward pass does not hide, read from a trace.

Of each step of each rank: the time from the last gradient, which ends the computation of the backward pass, until the
last bucket is averaged; and what the backward pass took longer, up to that gradient, than without averaging, since it
shares memory and cores with the communication. Both together are what is not hidden.

The last gradient is marked by a hook on the parameter whose gradient comes last. The end of a bucket is that of its
span "bucket", which allred's reducer writes, and for torch's the moment in which the future of a communication hook is
complete that does what torch does without one. Copying averages from buckets into gradients is not in it; the whole
backward pass, which has that, is measured beside it, on torch's class without a hook.
"""

from __future__ import annotations

import json
import statistics
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import torch
import torch.distributed as dist
from torch import nn
from torch.distributed.algorithms.ddp_comm_hooks import default_hooks

import allred

BACKWARD, LAST_GRADIENT, BUCKET, BUCKET_OF_TORCH = "backward", "last gradient", "bucket", "bucket of torch"


class Tracer:
    """Marks in one trace what several ways to train do. Its steps are not those that are timed.

    Of a way it makes the steps, which are traced while :attr:`trace` is set.
    """

    def __init__(self) -> None:
        self.trace: allred.tracing.Trace | None = None
        self._ways: list[str] = []

    def step_of(self, way: str, module: nn.Module, loss: Callable[[], torch.Tensor]) -> Callable[[], None]:
        """A training step of the module that marks its backward pass and, in that, the last gradient."""
        index = len(self._ways)
        self._ways.append(way)
        optimiser = torch.optim.SGD(module.parameters(), lr=1e-3)

        def mark(_: torch.Tensor) -> None:
            if self.trace:
                self.trace.instant(LAST_GRADIENT, index)

        last_to_arrive(module, loss).register_post_accumulate_grad_hook(mark)

        def step() -> None:
            optimiser.zero_grad()
            found = loss()
            if self.trace:
                with self.trace.span(BACKWARD, index):
                    found.backward()
            else:
                found.backward()
            optimiser.step()

        return step

    def watch_buckets(self, module: nn.parallel.DistributedDataParallel, group: dist.ProcessGroup) -> None:
        """Marks when a bucket of torch's is averaged."""

        def hook(state, bucket):  # type: ignore[no-untyped-def]  # torch knows no annotations that are text
            def mark(done: torch.futures.Future[torch.Tensor]) -> torch.Tensor:
                if self.trace:
                    self.trace.instant(BUCKET_OF_TORCH, bucket.index())
                return done.value()

            return default_hooks.allreduce_hook(state, bucket).then(mark)

        module.register_comm_hook(group, hook)

    def run(self, turns: Callable[[], None]) -> dict[str, dict[str, float]]:
        """Traces what `turns` does. On rank 0 what is said of each way: see :func:`summarize`."""
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "trace.json"
            with allred.trace(path) as self.trace:
                turns()
            self.trace = None
            if dist.get_rank() != 0:
                return {}
            return summarize(read_passes(path), self._ways)


def last_to_arrive(module: nn.Module, loss: Callable[[], torch.Tensor]) -> nn.Parameter:
    """The parameter whose gradient autograd makes last, the same in each pass. Collective: it makes one."""
    order: list[nn.Parameter] = []
    handles = [each.register_post_accumulate_grad_hook(order.append) for each in module.parameters()]
    loss().backward()
    for handle in handles:
        handle.remove()
    return order[-1]


@dataclass
class Pass:
    """A backward pass of a rank; milliseconds."""

    way: int
    begin: float
    end: float
    last_gradient: float = 0.0
    buckets: list[float] = field(default_factory=list)  # when each was averaged

    @property
    def computing(self) -> float:
        """Until the last gradient."""
        return self.last_gradient - self.begin

    @property
    def tail(self) -> float:
        """From the last gradient until all buckets are averaged; none without buckets."""
        return max([0.0, *(each - self.last_gradient for each in self.buckets)])


def read_passes(path: Path) -> list[Pass]:
    """Those of all ranks."""
    marks = [each for each in json.loads(path.read_text())["traceEvents"] if each.get("cat") == "mark"]
    passes = []
    for rank in {each["pid"] for each in marks}:
        mine = [each for each in marks if each["pid"] == rank]
        for span in (each for each in mine if each["name"] == BACKWARD):
            found = Pass(span["args"]["index"], span["ts"] / 1e3, (span["ts"] + span["dur"]) / 1e3)
            for each in mine:
                begin, end = each["ts"] / 1e3, (each["ts"] + each.get("dur", 0)) / 1e3
                if not found.begin < begin < found.end:
                    continue
                if each["name"] == LAST_GRADIENT:
                    found.last_gradient = end
                elif each["name"] in (BUCKET, BUCKET_OF_TORCH):
                    found.buckets.append(end)  # maybe after the pass: whoever ends a bucket notes it a moment later
            passes.append(found)
    return passes


def summarize(passes: list[Pass], ways: list[str]) -> dict[str, dict[str, float]]:
    """Of each way, the first of which averages nothing, medians over the passes of all ranks in milliseconds.

    `tail` and `longer` as at the top of this file, `not_hidden` their sum; `backward`, the whole pass, and what it is
    `beyond` that of the first way; `buckets` of a pass.
    """
    by_way = [[each for each in passes if each.way == index] for index in range(len(ways))]
    alone = statistics.median(each.computing for each in by_way[0])
    alone_backward = statistics.median(each.end - each.begin for each in by_way[0])
    found = {}
    for way, mine in zip(ways, by_way, strict=True):
        backward = statistics.median(each.end - each.begin for each in mine)
        found[way] = {
            "tail": statistics.median(each.tail for each in mine),
            "longer": statistics.median(each.computing for each in mine) - alone,
            "not_hidden": statistics.median(each.tail + each.computing for each in mine) - alone,
            "backward": backward,
            "beyond": backward - alone_backward,
            "buckets": len(mine[0].buckets),
        }
    return {way: {name: round(value, 3) for name, value in figures.items()} for way, figures in found.items()}
