"""The files: raw results of each measurement, all verdicts, and the table in the README."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from datetime import datetime, timezone
from pathlib import Path

from allred.cli import machine
from targets.measurement import Measurement, Raw
from targets.verdict import Verdict

BENCH = Path(__file__).parents[1]
README = BENCH.parent / "README.md"
BEGIN, END = "<!-- targets: begin, written by make targets -->", "<!-- targets: end -->"
_WORDS = {True: "yes", False: "**no**", None: "not measured"}


class Results:
    """A folder of results. Not thread-safe."""

    def __init__(self, folder: Path = BENCH / "results") -> None:
        self._raw = folder / "targets"
        self._verdicts = folder / "targets.json"

    def keep(self, measurement: Measurement, raw: Raw, effort: str) -> None:
        """Writes the raw results of a measurement, in place of those before."""
        self._raw.mkdir(parents=True, exist_ok=True)
        about = {"date": datetime.now(timezone.utc).isoformat(timespec="seconds"), "effort": effort}
        about |= {"allred": machine.describe_allred(), "machine": machine.describe()}
        self._file(measurement).write_text(json.dumps({**about, "raw": raw}, indent=1) + "\n")

    def judge(self, measurements: Iterable[Measurement]) -> list[Verdict]:
        """By the raw results that are there, and writes down, what has become of every target."""
        verdicts: list[Verdict] = []
        for measurement in measurements:
            file = self._file(measurement)
            if file.exists():
                verdicts += measurement.judge(json.loads(file.read_text())["raw"])
            else:
                verdicts += measurement.unmeasured("not measured yet")
        self._verdicts.write_text(json.dumps([asdict(verdict) for verdict in verdicts], indent=1) + "\n")
        return verdicts

    def _file(self, measurement: Measurement) -> Path:
        return self._raw / f"{measurement.name}.json"


def table(verdicts: Sequence[Verdict]) -> str:
    """In Markdown."""
    lines = ["| what | target | measured | met |", "|---|---|---|---|"]
    lines += [f"| {each.what} | {each.target} | {each.measured} | {_WORDS[each.met]} |" for each in verdicts]
    return "\n".join(lines)


def write_table(verdicts: Sequence[Verdict], file: Path = README) -> None:
    """Puts the table between the two markers.

    Raises:
        ValueError: the file has no markers.
    """
    text = file.read_text()
    if BEGIN not in text or END not in text:
        raise ValueError(f"{file.name} has no lines {BEGIN!r} and {END!r} for the table to stand between")
    before, rest = text.split(BEGIN, 1)
    file.write_text(f"{before}{BEGIN}\n{table(verdicts)}\n{END}{rest.split(END, 1)[1]}")
