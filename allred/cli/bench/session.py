"""What the reporting process knows of a run: gathers its events behind a progress bar, and reports at the end."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from allred.cli.bench import report
from allred.cli.bench.plan import Plan
from allred.cli.bench.results import Record, derive
from allred.cli.errors import CommandFailed
from allred.cli.events import Event
from allred.cli.sizes import format_size


class Session:
    """Collects a run's results. As a context manager it shows the progress, on the error output."""

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self._records: list[Record] = []
        self._versions: dict[str, str] = {}
        self._left_out: dict[str, list[str]] = {}  # library -> the reason at each size at which it was
        columns = TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn()
        self._progress = Progress(*columns, console=Console(stderr=True), transient=True)
        self._task = self._progress.add_task(f"starting {plan.ranks} ranks", total=1.0)

    def __enter__(self) -> Session:
        self._progress.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._progress.stop()

    def on_event(self, event: Event) -> None:
        """Takes what :func:`allred.cli.bench.worker.run` emits."""
        kind = event["event"]
        if kind == "begun":
            self._versions = event["versions"]
            self._progress.update(self._task, description=self._plan.collective)
        elif kind == "note":
            self._left_out.setdefault(event["library"], []).append(event["reason"])
        elif kind == "size":
            record = event["record"]
            derive(record, self._plan.collective, self._plan.ranks, self._plan.peers)
            self._records.append(record)
            description = f"{self._plan.collective} {format_size(record['size'])}"
            self._progress.update(self._task, completed=event["progress"], description=description)

    def report(self, argv: Sequence[str], json_file: Path | None) -> int:
        """Prints the table, writes the JSON file if there is to be one, and returns 0 if no element was wrong.

        Raises:
            CommandFailed: the file cannot be written.
        """
        report.print_table(self._plan, self._records)
        for library, reasons in self._left_out.items():
            print(f"{library}: left out at {len(reasons)} of {len(self._records)} sizes: {reasons[0]}")
        if json_file is not None:
            found = report.document(self._plan, self._records, self._versions, argv)
            try:
                json_file.write_text(json.dumps(found, indent=1) + "\n")
            except OSError as error:
                raise CommandFailed(f"{json_file}: {error.strerror}") from error
        wrong = sum(library["wrong"] for record in self._records for library in record["libraries"])
        if wrong:
            print(f"{wrong} elements were wrong")
        return 1 if wrong else 0
