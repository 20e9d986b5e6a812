"""What the reporting process knows of a run: gathers its times behind a progress bar, and concludes at the end."""

from __future__ import annotations

from pathlib import Path
from types import TracebackType

from allred import _core, tuning
from allred.cli.events import Event
from allred.cli.progress import ProgressBar
from allred.cli.sizes import format_size
from allred.cli.tune import report, table_file
from allred.cli.tune.crossover import Timing, conclude
from allred.cli.tune.plan import Plan


class Session:
    """Collects a run's times. As a context manager it shows the progress, on the error output."""

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self._cores = 0
        self._curves: dict[str, dict[int, Timing]] = {}
        self._sizes_done = 0
        self._progress = ProgressBar(f"starting {plan.ranks} ranks")

    def __enter__(self) -> Session:
        self._progress.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._progress.__exit__(kind, error, traceback)

    def on_event(self, event: Event) -> None:
        """Takes what :func:`allred.cli.tune.worker.run` emits."""
        if event["event"] == "begun":
            self._cores = event["cores"]
            return
        for name, blocks in event["seconds"].items():
            self._curves.setdefault(name, {})[event["size"]] = Timing.of(blocks)
        self._sizes_done += 1
        self._progress.advance(f"all_reduce {format_size(event['size'])}", self._sizes_done / len(self._plan.sizes))

    def conclude(self, output: Path | None, dry_run: bool) -> int:
        """Prints what was measured and what follows, and writes the table; returns 0.

        Args:
            output: where to; by default where this machine's table lies.
            dry_run: print the table and write nothing.

        Raises:
            CommandFailed: the table cannot be written.
        """
        ranks = self._plan.ranks
        defaults = _core.complete_tuning({})
        if self._cores >= ranks:
            chunk, large_chunk = defaults["chunk_bytes"], defaults["most_chunk_bytes"]
        else:
            chunk, large_chunk = defaults["chunk_bytes_shared"], None
        conclusion = conclude(self._curves, self._plan.chunks, chunk, large_chunk)
        report.print_times(self._curves)
        report.print_conclusion(conclusion)
        text = table_file.text_of(conclusion, self._curves, ranks, self._cores)
        if dry_run:
            print(f"\n{text}\nnothing was written")
            return 0
        path = output or tuning.default_path(ranks)
        table_file.write(text, path)
        print(f"written: {path}")
        return 0
