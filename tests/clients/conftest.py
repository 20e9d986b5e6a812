"""Programs under torchrun, for clients that insist on processes of their own."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from launch.launchers import torchrun
from rank_pool.pool import BACKEND

PROGRAMS = Path(__file__).parent / "programs"
TESTS = Path(__file__).parent.parent
SECONDS = 100


@pytest.fixture
def run_program(monkeypatch: pytest.MonkeyPatch) -> Callable[..., str]:
    """Runs a program on so many ranks. Its arguments are the backend and those given; the options are torchrun's."""

    def run(name: str, ranks: int, *args: str | Path, options: tuple[str, ...] = ()) -> str:
        inherited = os.environ.get("PYTHONPATH")
        monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(TESTS), *([inherited] if inherited else [])]))
        ended = torchrun([*options, PROGRAMS / name, BACKEND, *args], ranks, SECONDS)
        assert ended.returncode == 0, ended.stdout
        return ended.stdout

    return run
