"""Hugging Face Accelerate trains on the backend, and its own collectives give what they promise."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from clients.training import losses_alone, model
from rank_pool.pool import BACKEND

SIZE = 2


def test_trains_like_one_process(run_program: Any, tmp_path: Path) -> None:
    run_program("accelerate_training.py", SIZE, tmp_path / "found.pt")
    found = torch.load(tmp_path / "found.pt")
    alone = model()
    losses = losses_alone(alone, SIZE)
    torch.testing.assert_close(found["model"], alone.state_dict())
    torch.testing.assert_close(found["losses"], losses)
    assert found["backend"] == BACKEND
    assert found["names"] == ["DistributedDataParallel"]
    assert found["total"] == 1 + 2
    assert found["everyones"] == [0, 1]
    torch.testing.assert_close(found["padded"], torch.tensor([1.0, 0.0]))
