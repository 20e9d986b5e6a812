"""torch's own tests of its backends, a subset of them, with allred in Gloo's place."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

COMPARE = Path(__file__).parent / "compare.py"


@pytest.mark.timeout(300)
@pytest.mark.parametrize("options", [[], ["--own-ddp"]], ids=["backend", "own DistributedDataParallel"])
def test_what_passes_on_gloo_passes_on_allred(options: list[str]) -> None:
    pytest.importorskip("torch")
    command = [sys.executable, COMPARE, "--fast", "--backends", "allred", *options]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
