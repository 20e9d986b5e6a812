"""PyTorch Lightning trains on the backend that its strategy is given."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from clients.training import STEPS, batch, loss, losses_alone, model
from rank_pool.pool import BACKEND

SIZE = 2


def test_trains_like_one_process(run_program: Any, tmp_path: Path) -> None:
    run_program("lightning_training.py", SIZE, tmp_path / "found.pt")
    found = torch.load(tmp_path / "found.pt")
    alone = model()
    losses = losses_alone(alone, SIZE)
    validation = torch.stack([loss(alone, *batch(rank, 0)) for rank in range(SIZE)]).mean()
    torch.testing.assert_close(found["model"], alone.state_dict())
    # Lightning keeps its metrics in float32.
    torch.testing.assert_close(found["loss"], losses.mean(), check_dtype=False, rtol=1e-6, atol=0)
    torch.testing.assert_close(found["validation"], validation, check_dtype=False, rtol=1e-6, atol=0)
    assert found["everyones"].tolist() == list(range(SIZE))
    assert found["checkpoint"] == STEPS
    assert found["backend"] == BACKEND
