"""What came of a test, and the table of all of them that is kept between runs."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import NamedTuple

PASS, SKIP, FAIL, HANG = "pass", "skip", "fail", "hang"


class Column(NamedTuple):
    """A backend and a number of ranks: what one process runs the suite with."""

    backend: str
    size: int

    def __str__(self) -> str:
        return f"{self.backend} on {self.size} ranks"


@dataclass(frozen=True)
class Outcome:
    """What came of one test in one column; ``detail`` is the reason for a skip or the message of a failure."""

    test: str
    kind: str
    detail: str = ""
    seconds: float = 0.0


Outcomes = dict[Column, dict[str, Outcome]]


def load(path: Path) -> Outcomes:
    """The outcomes kept at ``path``; none where there is no such file."""
    if not path.exists():
        return {}
    return {
        Column(column["backend"], column["size"]): {item["test"]: Outcome(**item) for item in column["outcomes"]}
        for column in json.loads(path.read_text())
    }


def save(outcomes: Outcomes, path: Path) -> None:
    columns = [
        {"backend": column.backend, "size": column.size, "outcomes": [asdict(outcome) for outcome in of_tests.values()]}
        for column, of_tests in outcomes.items()
    ]
    path.write_text(json.dumps(columns, indent=1))
