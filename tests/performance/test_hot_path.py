"""The performance gate: nobody adds a copy, a system call or much else to the hot path without this noticing.

It counts instructions, and so passes or fails alike on a fast machine, a slow one and one under load. The limits, and
why they are what they are, stand in budgets.py.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path

import pytest
from performance.budgets import BUDGETS, Budget
from performance.counting import PROGRAMS, Counts, build, count_regions

ATTEMPTS = 3  # a peer that the system did not let run was waited for, which counts as well

PYTHON_CALLS = Path(__file__).with_name("programs") / "python_calls.py"
IN_PYTHON = ("numpy all_reduce", "numpy send and recv", "torch all_reduce")
IN_CPP = [name for name in BUDGETS if name not in IN_PYTHON]


class Counter:
    """Runs a program and, where a peer was late, runs it again."""

    def __init__(self, run: Callable[[], Counts]) -> None:
        self._run = run
        self.counts = run()
        self._attempts = 1

    def excess(self, name: str, budget: Budget) -> str:
        """What is over the budget, in words; empty if nothing is."""
        while (found := excess(self.counts, name, budget)) and self._attempts < ATTEMPTS:
            self._attempts += 1
            for region, count in self._run().items():
                self.counts[region] = self.counts[region].least(count)
        return found


def excess(counts: Counts, name: str, budget: Budget) -> str:
    limit = budget.instructions
    if budget.like:
        limit += round(budget.times * counts[budget.like].instructions)
    if budget.copies or budget.reductions:
        limit += round(budget.copies * counts["copy"].instructions)
        limit += round(budget.reductions * counts["reduction"].instructions)
    count = counts[name]
    found = []
    if count.system_calls > budget.system_calls:
        found.append(f"{count.system_calls} system calls a call; the budget is {budget.system_calls}")
    if count.instructions > limit:
        found.append(f"{count.instructions} instructions a call; the budget is {limit} ({budget.why})")
    return "; ".join(found)


@pytest.fixture(scope="module")
def cpp_calls(tmp_path_factory: pytest.TempPathFactory) -> Counter:
    build()
    return Counter(lambda: count_regions([str(PROGRAMS / "hot_path")], tmp_path_factory.mktemp("hot_path")))


@pytest.fixture(scope="module")
def python_calls(tmp_path_factory: pytest.TempPathFactory) -> Counter:
    if find_spec("torch") is None:
        pytest.skip("torch is not installed")
    build()

    def run() -> Counts:
        folder = tmp_path_factory.mktemp("python_calls")
        words = [sys.executable, str(PYTHON_CALLS)]
        with spinning_peer([*words, "1", str(folder)]):
            return count_regions([*words, "0", str(folder)], folder)

    return Counter(run)


@contextmanager
def spinning_peer(words: list[str]) -> Iterator[None]:
    peer = subprocess.Popen(words, env={**os.environ, "ALLRED_WAIT": "spin"})
    try:
        yield
        assert peer.wait(30) == 0
    finally:
        peer.kill()
        peer.wait()


@pytest.mark.parametrize("name", IN_CPP)
def test_call(cpp_calls: Counter, name: str) -> None:
    found = cpp_calls.excess(name, BUDGETS[name])
    assert not found, f"{name}: {found}"


@pytest.mark.parametrize("name", IN_PYTHON)
def test_call_from_python(python_calls: Counter, name: str) -> None:
    found = python_calls.excess(name, BUDGETS[name])
    assert not found, f"{name}: {found}"


@pytest.mark.parametrize(
    ("burdened", "name", "complaint"),
    [
        ("large one_shot and a copy", "large one_shot", "instructions"),
        ("large two_shot and a copy", "large two_shot", "instructions"),
        ("large symmetric and half a copy", "large symmetric", "instructions"),
        ("small all_reduce and a system call", "small all_reduce", "system calls"),
    ],
)
def test_gate_notices(cpp_calls: Counter, burdened: str, name: str, complaint: str) -> None:
    """The same calls with something added by the program that makes them."""
    assert complaint in excess(cpp_calls.counts, burdened, BUDGETS[name])
