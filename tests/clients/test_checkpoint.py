"""Distributed checkpoints: what some ranks saved, other ranks load, divided otherwise."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
import torch.distributed as dist
import torch.distributed.checkpoint as dcp
from clients.training import batch, loss, model
from torch.distributed.checkpoint.state_dict import StateDictOptions, get_state_dict, set_state_dict
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import fully_shard
from torch.distributed.tensor import DTensor, Placement, Replicate, Shard, distribute_tensor

WHOLE = StateDictOptions(full_state_dict=True)


def parts(size: int) -> tuple[torch.nn.Module, torch.optim.Optimizer]:
    module = model()
    for layer in module[0], module[3]:
        fully_shard(layer, mesh=init_device_mesh("cpu", (size,)))
    fully_shard(module, mesh=init_device_mesh("cpu", (size,)))
    return module, torch.optim.Adam(module.parameters(), lr=0.01)


def train(module: torch.nn.Module, stepper: torch.optim.Optimizer, steps: range) -> None:
    """All ranks on the same batch, so that the number of ranks does not matter."""
    for step in steps:
        stepper.zero_grad()
        loss(module, *batch(0, step)).backward()
        stepper.step()


def train_alone(steps: int) -> dict[str, torch.Tensor]:
    module = model()
    train(module, torch.optim.Adam(module.parameters(), lr=0.01), range(steps))
    return module.state_dict()


def saves(rank: int, size: int, folder: Path) -> None:
    module, stepper = parts(size)
    train(module, stepper, range(3))
    model_state, optimizer_state = get_state_dict(module, stepper)
    dcp.save({"model": model_state, "optimizer": optimizer_state, "step": 3}, checkpoint_id=folder)


def loads(rank: int, size: int, folder: Path) -> None:
    module, stepper = parts(size)
    model_state, optimizer_state = get_state_dict(module, stepper)
    state = {"model": model_state, "optimizer": optimizer_state, "step": 0}
    dcp.load(state, checkpoint_id=folder)
    set_state_dict(module, stepper, model_state_dict=model_state, optim_state_dict=optimizer_state)
    assert state["step"] == 3
    train(module, stepper, range(3, 6))
    whole, _ = get_state_dict(module, stepper, options=WHOLE)
    if rank == 0:
        torch.testing.assert_close(whole, train_alone(6))


@pytest.mark.parametrize(("before", "after"), [(2, 3), (3, 2)])
def test_training_goes_on_with_other_ranks(ranks: Any, tmp_path: Path, before: int, after: int) -> None:
    ranks.run(before, saves, tmp_path)
    ranks.run(after, loads, tmp_path)


def whole_tensor() -> torch.Tensor:
    return torch.arange(91.0).reshape(13, 7)


def reshards(rank: int, size: int, folder: Path, before: Placement, after: Placement) -> None:
    mesh = init_device_mesh("cpu", (size,))
    dcp.save({"tensor": distribute_tensor(whole_tensor(), mesh, [before])}, checkpoint_id=folder)
    state = {"tensor": distribute_tensor(torch.zeros(13, 7), mesh, [after])}
    dcp.load(state, checkpoint_id=folder)
    assert isinstance(state["tensor"], DTensor)
    assert state["tensor"].placements == (after,)
    torch.testing.assert_close(state["tensor"].full_tensor(), whole_tensor())


@pytest.mark.parametrize(
    ("before", "after"), [(Shard(0), Shard(1)), (Shard(1), Replicate()), (Replicate(), Shard(0))], ids=str
)
def test_loads_in_another_layout(ranks: Any, tmp_path: Path, before: Placement, after: Placement) -> None:
    ranks.run(3, reshards, tmp_path, before, after)


def saves_while_training(rank: int, size: int, folder: Path) -> None:
    """The writer's thread has a group of its own, and makes its calls while this one trains."""
    module, stepper = parts(size)
    train(module, stepper, range(3))
    model_state, optimizer_state = get_state_dict(module, stepper)
    saved = dcp.async_save(
        {"model": model_state, "optimizer": optimizer_state, "step": 3},
        checkpoint_id=folder,
        process_group=dist.new_group(),
    )
    train(module, stepper, range(3, 6))
    saved.result(timeout=30)


def test_saves_in_the_background(ranks: Any, tmp_path: Path) -> None:
    ranks.run(2, saves_while_training, tmp_path)
    ranks.run(3, loads, tmp_path)


def loads_whole(rank: int, size: int) -> None:
    """Only rank 0 has the state, as after reading an ordinary file."""
    module, stepper = parts(size)
    options = StateDictOptions(full_state_dict=True, broadcast_from_rank0=True)
    dcp.state_dict.set_model_state_dict(module, train_alone(2) if rank == 0 else {}, options=options)
    whole, _ = get_state_dict(module, stepper, options=WHOLE)
    if rank == 0:
        torch.testing.assert_close(whole, train_alone(2), rtol=0, atol=0)


def test_rank_0_hands_out_a_whole_state(ranks: Any) -> None:
    ranks.run(3, loads_whole)
