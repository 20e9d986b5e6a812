"""Progress on rank 0: a bar on a terminal, a plain line every so often anywhere else."""

from __future__ import annotations

import os
import sys
import time
from types import TracebackType

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from torch import Tensor, nn

LINES = 20  # how many plain lines a whole run prints
SMOOTHING = 0.9


class ExposedWait:
    """Measures how much of a backward pass is waiting for communication, with DDP and its backend left as they are.

    DDP starts the AllReduce of a bucket as soon as its gradients are there, beside the computation of the others, and
    waits for all buckets before `backward()` returns. So the time from the moment the last gradient is computed to
    that return is the communication that computation did not hide (with the waiting for slower ranks, and the copies
    into and out of the last bucket). A parameter's own hook runs before DDP's, hence before the last AllReduce starts.
    """

    def __init__(self, module: nn.Module) -> None:
        self._last_gradient = 0.0
        for parameter in module.parameters():
            parameter.register_post_accumulate_grad_hook(self._gradient_ready)

    def _gradient_ready(self, _: Tensor) -> None:
        self._last_gradient = time.perf_counter()

    def backward(self, loss: Tensor) -> float:
        """Runs `loss.backward()`; returns the seconds it waited."""
        loss.backward()
        return time.perf_counter() - self._last_gradient


class TrainingProgress:
    """Counts steps, seconds and seconds waited; shows them if `shown`. Time runs while it is a context manager."""

    def __init__(self, done: int, total: int, tokens_per_step: int, shown: bool) -> None:
        self.steps = 0
        self.seconds = 0.0
        self.waited = 0.0
        self._done, self._total, self._tokens_per_step, self._shown = done, total, tokens_per_step, shown
        self._loss = float("nan")
        self._bar = progress_bar() if shown else None
        if self._bar:
            self._task = self._bar.add_task("", total=total, completed=done, status="")

    def __enter__(self) -> TrainingProgress:
        if self._bar:
            self._bar.start()
        self._begun = time.perf_counter()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        if self._bar:
            self._bar.stop()

    def advance(self, loss: float, waited: float) -> None:
        """One step is over."""
        self.steps += 1
        self.seconds = time.perf_counter() - self._begun
        self.waited += waited
        self._loss = loss if self.steps == 1 else SMOOTHING * self._loss + (1 - SMOOTHING) * loss
        if self._shown:
            self._show(self._done + self.steps)

    def tokens_per_second(self) -> float:
        return self.steps * self._tokens_per_step / self.seconds if self.steps else 0.0

    def waiting_share(self) -> float:
        return self.waited / self.seconds if self.steps else 0.0

    def _show(self, step: int) -> None:
        status = f"loss {self._loss:.3f}  {self.tokens_per_second():,.0f} tokens/s  waiting {self.waiting_share():.1%}"
        if self._bar:
            self._bar.update(self._task, completed=step, status=status)
        elif step == self._total or step % max(1, self._total // LINES) == 0:
            print(f"step {step}/{self._total}  {status}", flush=True)


def progress_bar() -> Progress | None:
    """A bar over the terminal that a person watches; none if there is no such terminal."""
    width = terminal_width()
    if not width:
        return None
    console = Console(force_terminal=True, width=width)
    status = TextColumn("{task.fields[status]}")
    return Progress(BarColumn(20), MofNCompleteColumn(), status, TimeRemainingColumn(compact=True), console=console)


def terminal_width() -> int:
    """Columns of the terminal that a person watches, 0 if there is none.

    Open MPI gives each rank a pseudo-terminal without a size, whether or not mpirun itself writes to a terminal. Then
    the parent process knows, which is mpirun on the host where it was called.
    """
    if not sys.stdout.isatty():
        return 0
    return os.get_terminal_size(sys.stdout.fileno()).columns or parent_terminal_width()


def parent_terminal_width() -> int:
    try:
        output = os.open(f"/proc/{os.getppid()}/fd/1", os.O_WRONLY | os.O_NOCTTY | os.O_NONBLOCK)
    except OSError:
        return 0
    try:
        return os.get_terminal_size(output).columns
    except OSError:  # a pipe or a file
        return 0
    finally:
        os.close(output)
