"""allred trace FILE --draw."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

import allred
from allred.cli.main import main

needs_matplotlib = pytest.mark.skipif(find_spec("matplotlib") is None, reason="matplotlib is not installed")
PNG = b"\x89PNG\r\n"


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("trace") / "trace.json"
    with allred.trace(path) as trace:
        for _ in range(2):
            trace.step()
            trace.instant("ready")
            with trace.span("run"):
                allred.run_threads(lambda comm: comm.all_reduce(np.ones(10)), ranks=2)
    return path


@needs_matplotlib
@pytest.mark.parametrize("steps", [(), ("--steps", "1"), ("--steps", "0:1")])
def test_a_drawing(path: Path, tmp_path: Path, steps: tuple[str, ...], capsys: pytest.CaptureFixture[str]) -> None:
    drawn = tmp_path / "drawn.png"
    assert main(["trace", str(path), "--draw", str(drawn), *steps]) == 0
    assert drawn.read_bytes().startswith(PNG)
    assert f"drawn: {drawn}" in capsys.readouterr().out


@needs_matplotlib
@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        (("--draw", "drawn.txt"), "expected a name that ends in .png"),
        (("--draw", "drawn.png", "--steps", "2"), "step 2 is not among the 2 in the trace"),
        (("--draw", "drawn.png", "--steps", "1:0"), "expected the number of a step"),
        (("--draw", "drawn.png", "--steps", "x"), "expected the number of a step"),
        (("--steps", "1"), "--steps goes with --draw"),
    ],
)
def test_what_cannot_be_drawn(
    path: Path, words: tuple[str, ...], complaint: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["trace", str(path), *words])
    assert ended.value.code == 2
    assert complaint in capsys.readouterr().err
