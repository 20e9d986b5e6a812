"""The side-by-side list of outcomes, as Markdown."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence

from difference import Difference, differences
from outcome import PASS, SKIP, Column, Outcomes

INTRODUCTION = """\
# torch's own tests, on Gloo and on allred

torch's wheel ships the tests that its backends are held to, `torch.testing._internal.distributed.distributed_test`.
This is what comes of each on CPU tensors, by number of ranks. For allred's outcomes, allred stands in for Gloo under
Gloo's name, since torch skips and adapts tests by name. Tests of all-to-all on CPU tensors, which torch has every
backend but MPI's skip, are run on both. Written by `make test-torch` with torch {torch}; outcomes are pass, skip, fail,
and hang for what did not end in time.
"""
NEEDS_GPU = re.compile("CUDA|GPU|NCCL|Nccl|nccl")


def markdown(outcomes: Outcomes, explanations: Mapping[str, str], torch_version: str) -> str:
    """The report on all that is in ``outcomes``."""
    columns = sorted(outcomes, key=lambda column: (column.size, column.backend != "gloo"))
    ran, skipped = _split_by_skips(outcomes)
    parts = [
        INTRODUCTION.format(torch=torch_version),
        "\n".join(_summary(outcomes, columns)),
        "\n".join(["## Differences", "", *_difference_rows(list(differences(outcomes)), explanations)]),
        "\n".join(["## Tests that ran", "", *_outcome_rows(outcomes, columns, ran)]),
        "\n".join(["## Tests skipped on both", "", *_skip_rows(outcomes, skipped)]),
    ]
    return "\n\n".join(part.strip() for part in parts) + "\n"


def _split_by_skips(outcomes: Outcomes) -> tuple[list[str], list[str]]:
    kinds: dict[str, set[str]] = defaultdict(set)
    for of_tests in outcomes.values():
        for outcome in of_tests.values():
            kinds[outcome.test].add(outcome.kind)
    tests = sorted(kinds)
    return [test for test in tests if kinds[test] != {SKIP}], [test for test in tests if kinds[test] == {SKIP}]


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> Iterator[str]:
    yield _row(head)
    yield _row(["---"] * len(head))
    yield from map(_row, rows)


def _row(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def _summary(outcomes: Outcomes, columns: Sequence[Column]) -> Iterator[str]:
    counts = {column: Counter(outcome.kind for outcome in outcomes[column].values()) for column in columns}
    kinds = ("pass", "fail", "hang", "skip")
    return _table(["", *kinds], ([str(column), *(str(counts[column][kind]) for kind in kinds)] for column in columns))


def _difference_rows(found: Sequence[Difference], explanations: Mapping[str, str]) -> Iterator[str]:
    if not found:
        yield "None."
        return
    by_test: dict[str, list[Difference]] = defaultdict(list)
    for item in found:
        by_test[item.test].append(item)
    rows = []
    for test in sorted(by_test):
        items = by_test[test]
        why = explanations.get(test) or ("**unexplained**: " if items[0].is_worse else "Gloo: ") + _code(
            items[0].message
        )
        sizes = ", ".join(str(item.size) for item in items)
        rows.append([_code(test), sizes, items[0].gloo.kind, items[0].allred.kind, why])
    yield from _table(["test", "ranks", "Gloo", "allred", "why"], rows)


def _outcome_rows(outcomes: Outcomes, columns: Sequence[Column], tests: Iterable[str]) -> Iterator[str]:
    def kind(column: Column, test: str) -> str:
        outcome = outcomes[column].get(test)
        return outcome.kind if outcome else ""

    def emphasised(cell: str) -> str:
        return cell if cell in ("", PASS, SKIP) else f"**{cell}**"

    rows = ([_code(test), *(emphasised(kind(column, test)) for column in columns)] for test in tests)
    return _table(["test", *(f"{column.backend} {column.size}" for column in columns)], rows)


def _skip_rows(outcomes: Outcomes, tests: Iterable[str]) -> Iterator[str]:
    """A test may be skipped for its number of ranks on few, and for another reason on more: the last is taken."""
    by_size = sorted(outcomes, key=lambda column: column.size, reverse=True)
    reasons: dict[str, list[str]] = defaultdict(list)
    for test in tests:
        reason = next(outcomes[column][test].detail for column in by_size if test in outcomes[column])
        reasons["no GPUs here" if NEEDS_GPU.search(reason) else reason].append(test)
    rows = ([reason, str(len(names)), _names(reason, names)] for reason, names in sorted(reasons.items()))
    return _table(["reason", "tests", "names"], rows)


def _names(reason: str, tests: Iterable[str]) -> str:
    return "" if reason == "no GPUs here" else ", ".join(map(_code, tests))


def _code(text: str) -> str:
    return f"`{text}`"
