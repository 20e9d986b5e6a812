"""The progress bar of a run, on the error output."""

from __future__ import annotations

import time
from types import TracebackType

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

SECONDS_BETWEEN = 0.2


class ProgressBar:
    """Drawn by the caller's thread between two measurements, and not by one that would need a core during them."""

    def __init__(self, text: str = "starting the ranks") -> None:
        columns = TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn()
        self._progress = Progress(*columns, console=Console(stderr=True), transient=True, auto_refresh=False)
        self._task = self._progress.add_task(text, total=1.0)
        self._drawn = 0.0

    def __enter__(self) -> ProgressBar:
        self._progress.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._progress.stop()

    def advance(self, text: str, fraction: float) -> None:
        """Says what is done now, and how much is done already."""
        self._progress.update(self._task, description=text, completed=fraction)
        if time.monotonic() - self._drawn > SECONDS_BETWEEN:
            self._progress.refresh()
            self._drawn = time.monotonic()
