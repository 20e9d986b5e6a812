"""torchrun starts a job again when one of its ranks has died, and training goes on from the checkpoint."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from clients.training import model, train_alone
from rank_pool.pool import BACKEND

SIZE = 2


@pytest.mark.skipif(BACKEND == "gloo", reason="in torchrun's store Gloo finds the addresses of the first life")
def test_restarts_and_resumes(run_program: Any, tmp_path: Path) -> None:
    output = run_program("elastic.py", SIZE, tmp_path, options=("--max-restarts", "1"))
    trained = torch.load(tmp_path / "trained.pt")
    assert (trained["life"], trained["first"]) == (1, 2), output
    torch.testing.assert_close(trained["model"], train_alone(model(), SIZE).state_dict())
