"""A small model, its data, and its training in one process, which every parallel training must reproduce.

All in float64, so that a mistake does not hide behind rounding.
"""

from __future__ import annotations

import torch
import torch.distributed as dist
from torch.nn.functional import mse_loss

FEATURES = 8
SAMPLES = 6  # a rank and step
STEPS = 4


def model() -> torch.nn.Module:
    """The same on each call."""
    generator_state = torch.get_rng_state()
    torch.manual_seed(0)
    layers = torch.nn.Sequential(
        torch.nn.Linear(FEATURES, 32),
        torch.nn.LayerNorm(32),
        torch.nn.GELU(),
        torch.nn.Linear(32, 15),
        torch.nn.Tanh(),
        torch.nn.Linear(15, 3),
    ).double()
    torch.set_rng_state(generator_state)
    return layers


def batch(rank: int, step: int) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(100 * step + rank)
    inputs = torch.randn(SAMPLES, FEATURES, generator=generator, dtype=torch.float64)
    return inputs, inputs[:, :3].sin()


def loss(module: torch.nn.Module, inputs: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
    return mse_loss(module(inputs), targets)


def optimizer(module: torch.nn.Module) -> torch.optim.Optimizer:
    return torch.optim.SGD(module.parameters(), lr=0.05, momentum=0.9)


def losses_alone(module: torch.nn.Module, size: int, steps: int = STEPS) -> torch.Tensor:
    """Trains the module on the batches of all ranks, without a process group, and returns each step's loss."""
    stepper = optimizer(module)
    losses = []
    for step in range(steps):
        stepper.zero_grad()
        inputs, targets = zip(*(batch(rank, step) for rank in range(size)), strict=True)
        losses.append(loss(module, torch.cat(inputs), torch.cat(targets)))
        losses[-1].backward()
        stepper.step()
    return torch.stack(losses).detach()


def train_alone(module: torch.nn.Module, size: int, steps: int = STEPS) -> torch.nn.Module:
    losses_alone(module, size, steps)
    return module


def gradients(module: torch.nn.Module) -> list[torch.Tensor]:
    return [parameter.grad for parameter in module.parameters() if parameter.grad is not None]


def assert_same_on_all_ranks(module: torch.nn.Module, size: int) -> None:
    """To the bit: ranks that differ drift apart."""
    flat = torch.cat([parameter.detach().reshape(-1) for parameter in module.parameters()])
    everyones = [torch.empty_like(flat) for _ in range(size)]
    dist.all_gather(everyones, flat)
    assert all(torch.equal(each, flat) for each in everyones)
