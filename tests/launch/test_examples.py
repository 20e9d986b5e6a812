"""The examples, run as users run them, with models and step counts that are as small as can be."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from launch.launchers import alone, mpirun, torchrun

EXAMPLES = Path(__file__).parents[2] / "examples"
SMALL_MODEL = ["--layers", "1", "--width", "32", "--context", "32", "--batch", "4"]
TIMEOUT = 100  # of one run; a test makes up to three

pytestmark = pytest.mark.timeout(4 * TIMEOUT)

pytest.importorskip("torch")


def train_lm(checkpoint: Path, *options: str, steps: int = 10) -> list[str | Path]:
    return [EXAMPLES / "train_lm.py", *SMALL_MODEL, "--steps", str(steps), "--checkpoint", checkpoint, *options]


def check(ended: subprocess.CompletedProcess[str], *expected: str) -> None:
    assert ended.returncode == 0, ended.stdout
    assert "FAILED" not in ended.stdout
    for text in expected:
        assert text in ended.stdout


def digest(ended: subprocess.CompletedProcess[str]) -> str:
    found = re.search(r"sha256 (\w+), the same on every rank: ok", ended.stdout)
    assert found, ended.stdout
    return found[1]


def test_digits_under_mpirun() -> None:
    pytest.importorskip("sklearn")
    check(mpirun([EXAMPLES / "train_digits.py"], 2, TIMEOUT), "held-out accuracy 0.9")


@pytest.mark.parametrize("launch", [mpirun, torchrun])
def test_a_horovod_script(launch: Callable[..., subprocess.CompletedProcess[str]]) -> None:
    pytest.importorskip("sklearn")
    check(launch([EXAMPLES / "train_horovod.py", "--fp16-allreduce"], 2, TIMEOUT), "2 ranks, held-out accuracy 0.9")


def test_a_horovod_script_with_adasum() -> None:
    pytest.importorskip("sklearn")
    check(mpirun([EXAMPLES / "train_horovod.py", "--use-adasum"], 2, TIMEOUT), "2 ranks, held-out accuracy 0.9")


def test_the_horovod_script_names_allred_in_its_import_line_alone() -> None:
    lines = (EXAMPLES / "train_horovod.py").read_text().splitlines()
    assert [line for line in lines if re.search(r"\ballred\b", line)] == ["import allred.horovod as hvd"]


def test_digits_by_parameter_server(tmp_path: Path) -> None:
    pytest.importorskip("sklearn")
    expected = "held-out accuracy 0.9"
    check(mpirun([EXAMPLES / "train_server.py", "--checkpoint", tmp_path], 3, TIMEOUT), expected)
    assert (tmp_path / "checkpoint.json").exists()
    check(alone([EXAMPLES / "train_server.py"], TIMEOUT), expected)


def test_lm_alone(tmp_path: Path) -> None:
    ended = alone(train_lm(tmp_path / "lm.pt"), TIMEOUT)
    check(ended, "ranks 1,", "backend allred", "step 10/10", "read back: ok")


def test_lm_is_the_same_under_mpirun_and_torchrun_and_on_gloo(tmp_path: Path) -> None:
    """The sum of two numbers does not depend on their order: two ranks end with the same bits on any backend."""
    on_mpirun = mpirun(train_lm(tmp_path / "mpirun.pt"), 2, TIMEOUT)
    on_torchrun = torchrun(train_lm(tmp_path / "torchrun.pt"), 2, TIMEOUT)
    on_gloo = torchrun(train_lm(tmp_path / "gloo.pt", "--backend", "gloo"), 2, TIMEOUT)
    check(on_mpirun, "ranks 2,", "backend allred", "step 10/10", "read back: ok")
    check(on_torchrun, "ranks 2,", "backend allred", "step 10/10", "read back: ok")
    check(on_gloo, "ranks 2,", "backend gloo", "step 10/10", "read back: ok")
    assert digest(on_mpirun) == digest(on_torchrun) == digest(on_gloo)


def test_lm_resumes(tmp_path: Path) -> None:
    checkpoint = tmp_path / "lm.pt"
    check(mpirun(train_lm(checkpoint), 2, TIMEOUT))
    longer = mpirun(train_lm(checkpoint, "--resume", steps=15), 2, TIMEOUT)
    check(longer, "at step 10", "step 11/15", "step 15/15", "5 steps in", "step 15, read back: ok")
    finished = alone(train_lm(checkpoint, "--resume", steps=15), TIMEOUT)
    check(finished, "at step 15", "0 steps in")
    assert digest(finished) == digest(longer)


def test_lm_fails_without_a_checkpoint_or_above_the_target(tmp_path: Path) -> None:
    folder = tmp_path / "not written yet"
    ended = mpirun(train_lm(folder / "lm.pt", "--target-loss", "0.5", steps=2), 2, TIMEOUT)
    assert ended.returncode != 0
    assert "to end below 0.500: FAILED" in ended.stdout
    assert "read back: FAILED" in ended.stdout
