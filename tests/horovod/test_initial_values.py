"""All ranks begin, and begin again, with the values of one."""

from __future__ import annotations

import io
from typing import Any

import pytest
import torch
from clients.training import batch, loss, model
from horovod.world import world

import allred.horovod as hvd

OPTIMIZERS: dict[str, Any] = {
    "sgd": lambda parameters: torch.optim.SGD(parameters, lr=0.1),  # has no state
    "momentum": lambda parameters: torch.optim.SGD(parameters, lr=0.1, momentum=0.9),
    "adam": lambda parameters: torch.optim.Adam(parameters, lr=0.01, betas=(0.8, 0.9)),
    "amsgrad": lambda parameters: torch.optim.AdamW(parameters, amsgrad=True, lr=torch.tensor(0.02)),
    "adagrad": lambda parameters: torch.optim.Adagrad(parameters),
    "rprop": lambda parameters: torch.optim.Rprop(parameters),  # has state of python numbers, too
    "lbfgs": lambda parameters: torch.optim.LBFGS(parameters, max_iter=3),  # has nested state
}


def steps(stepper: torch.optim.Optimizer, module: torch.nn.Module, rank: int, num_steps: int) -> None:
    for step in range(num_steps):

        def closure(step: int = step) -> torch.Tensor:
            stepper.zero_grad()
            value = loss(module, *batch(rank, step))
            value.backward()
            return value

        stepper.step(closure)


def leaves(tree: Any) -> list[Any]:
    if isinstance(tree, dict):
        return [leaf for key in tree for leaf in (key, *leaves(tree[key]))]
    if isinstance(tree, (list, tuple)):
        return [leaf for each in tree for leaf in leaves(each)]
    return [tree]


def assert_alike(state_dict: Any) -> None:
    """To the bit, on all ranks, tensors and numbers and their types."""
    own = [(each.dtype, each.tolist()) if isinstance(each, torch.Tensor) else each for each in leaves(state_dict)]
    for other in hvd.allgather_object(own):
        assert other == own
        assert list(map(type, other)) == list(map(type, own))


def takes_over(rank: int, size: int, name: str) -> None:
    """Rank 1 has trained, and rank 0 not: its state is empty."""
    with world(rank, size):
        module = model()
        stepper = OPTIMIZERS[name](module.parameters())
        if rank == 1:
            steps(stepper, module, rank, 3)
            stepper.param_groups[0]["lr"] *= 0.5
        rate = stepper.param_groups[0]["lr"]
        hvd.broadcast_parameters(module.state_dict(), root_rank=1)
        hvd.broadcast_optimizer_state(stepper, root_rank=1)
        assert_alike(module.state_dict())
        assert_alike(stepper.state_dict())
        if rank == 1:
            assert stepper.param_groups[0]["lr"] is rate
        steps(stepper, module, 0, 2)  # from here on alike
        assert_alike(module.state_dict())


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_optimizer_state(ranks: Any, name: str) -> None:
    ranks.run(2, takes_over, name)


def resumes(rank: int, size: int) -> None:
    """As Horovod's scripts do: rank 0 alone reads the checkpoint."""
    with world(rank, size):
        module = model()
        stepper = hvd.DistributedOptimizer(torch.optim.Adam(module.parameters(), lr=0.01), module.named_parameters())
        checkpoint = io.BytesIO()
        for step in range(6):
            if step == 3 and rank == 0:
                torch.save({"model": module.state_dict(), "optimizer": stepper.state_dict(), "step": step}, checkpoint)
            stepper.zero_grad()
            loss(module, *batch(rank, step)).backward()
            stepper.step()

        again = model()
        begin = 0
        restarted = hvd.DistributedOptimizer(torch.optim.Adam(again.parameters(), lr=0.5), again.named_parameters())
        if rank == 0:
            checkpoint.seek(0)
            loaded = torch.load(checkpoint)
            again.load_state_dict(loaded["model"])
            restarted.load_state_dict(loaded["optimizer"])
            begin = loaded["step"]
        begin = hvd.broadcast(torch.tensor(begin), root_rank=0, name="begin").item()
        hvd.broadcast_parameters(again.state_dict(), root_rank=0)
        hvd.broadcast_optimizer_state(restarted, root_rank=0)
        for step in range(begin, 6):
            restarted.zero_grad()
            loss(again, *batch(rank, step)).backward()
            restarted.step()
        torch.testing.assert_close(again.state_dict(), module.state_dict(), rtol=0, atol=0)


def test_resume_from_a_checkpoint(ranks: Any) -> None:
    ranks.run(2, resumes)


def sends_parameters(rank: int, size: int) -> None:
    with world(rank, size):
        layers = torch.nn.Sequential(model(), torch.nn.BatchNorm1d(3).double())
        with torch.no_grad():
            for tensor in layers.state_dict().values():
                tensor.fill_(rank)
        hvd.broadcast_parameters(layers.state_dict(), root_rank=1)
        assert all((tensor == 1).all() for tensor in layers.state_dict().values())
        with torch.no_grad():
            for parameter in layers.parameters():
                parameter.fill_(rank)
        hvd.broadcast_parameters(layers.named_parameters(), root_rank=1)
        hvd.broadcast_parameters(list(layers.parameters()), root_rank=1)
        assert all((parameter == 1).all() for parameter in layers.parameters())
        strided = torch.full((2, 3), float(rank)).t()
        hvd.broadcast_parameters({"strided": strided, "epoch": 3}, root_rank=1)
        assert (strided == 1).all()


def test_parameters_and_buffers(ranks: Any) -> None:
    ranks.run(2, sends_parameters)


def sends_objects(rank: int, size: int) -> None:
    with world(rank, size):
        sent = {"epoch": 7, "losses": [0.5, None], "name": "x" * 5000, "tensor": torch.arange(3)}
        received = hvd.broadcast_object(sent if rank == 1 else None, root_rank=1)
        assert received["tensor"].tolist() == [0, 1, 2]
        assert {key: received[key] for key in ("epoch", "losses", "name")} == {
            "epoch": 7,
            "losses": [0.5, None],
            "name": "x" * 5000,
        }
        assert hvd.allgather_object("r" * rank) == ["r" * peer for peer in range(size)]
        if rank == 0:
            with pytest.raises(AttributeError, match="pickle"):
                hvd.broadcast_object(lambda: None, root_rank=0)
        else:
            with pytest.raises(RuntimeError, match="rank 0"):
                hvd.broadcast_object(root_rank=0)


def test_objects(ranks: Any) -> None:
    ranks.run(3, sends_objects)
