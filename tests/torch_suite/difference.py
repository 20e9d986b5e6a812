"""Where allred's outcomes differ from Gloo's."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import dropwhile, takewhile
from textwrap import shorten

from outcome import FAIL, HANG, PASS, SKIP, Column, Outcome, Outcomes

BEST_FIRST = (PASS, SKIP, FAIL, HANG)
LONGEST_HEADLINE = 200
ENDS_OF_ERROR = ("To execute this test", "Process ", "Traceback", "Exception raised from")


@dataclass(frozen=True)
class Difference:
    """A test with two outcomes on the same number of ranks."""

    size: int
    gloo: Outcome
    allred: Outcome

    @property
    def test(self) -> str:
        return self.gloo.test

    @property
    def is_worse(self) -> bool:
        """Whether allred's outcome is the worse one."""
        return BEST_FIRST.index(self.allred.kind) > BEST_FIRST.index(self.gloo.kind)

    @property
    def message(self) -> str:
        """What the backend that did worse had to say."""
        return headline((self.allred if self.is_worse else self.gloo).detail)

    def __str__(self) -> str:
        return f"{self.test} on {self.size} ranks: gloo {self.gloo.kind}, allred {self.allred.kind}: {self.message}"


def difference(outcomes: Outcomes, size: int, test: str) -> Difference | None:
    """None where the outcomes are alike, and where one of them is not known."""
    gloo, allred = (outcomes.get(Column(backend, size), {}).get(test) for backend in ("gloo", "allred"))
    if gloo is None or allred is None or gloo.kind == allred.kind:
        return None
    return Difference(size, gloo, allred)


def differences(outcomes: Outcomes) -> Iterator[Difference]:
    """All of them, by number of ranks and then by test."""
    for column, of_tests in sorted(outcomes.items()):
        if column.backend == "allred":
            found = (difference(outcomes, column.size, test) for test in sorted(of_tests))
            yield from (item for item in found if item is not None)


def unexplained(found: Iterable[Difference], explanations: Iterable[str]) -> list[Difference]:
    """Those in which allred does worse and nobody has said why."""
    explained = set(explanations)
    return [item for item in found if item.is_worse and item.test not in explained]


def headline(detail: str) -> str:
    """The error at the bottom of the first traceback of a rank, or a skip's reason."""
    lines = detail.splitlines()
    starts = [index for index, line in enumerate(lines) if line.startswith("Traceback")]
    # The first traceback is of the process that waited for the ranks, and its error repeats theirs.
    of_rank = lines[starts[min(1, len(starts) - 1)] + 1 :] if starts else lines
    error = takewhile(lambda line: not line.startswith(ENDS_OF_ERROR), dropwhile(_belongs_to_stack, of_rank))
    return shorten(" ".join(error), LONGEST_HEADLINE, placeholder=" ...")


def _belongs_to_stack(line: str) -> bool:
    return not line or line.startswith(" ")
