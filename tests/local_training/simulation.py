"""A small model of several ranks, and how each of them trains, for comparison with all of them in one process."""

from __future__ import annotations

import torch

RANKS = 3
STEPS = 8
Tensors = list[torch.Tensor]


def module() -> torch.nn.Module:
    """The same on each call; its parameters take more than one dtype."""
    generator = torch.Generator().manual_seed(0)
    # No bias ahead of the norm, which takes it away: its gradient is rounding, of which Adam would make large steps.
    first = torch.nn.Linear(4, 5, bias=False)
    layers = torch.nn.Sequential(first, torch.nn.BatchNorm1d(5), torch.nn.Linear(5, 2).double())
    with torch.no_grad():
        for parameter in layers.parameters():
            parameter.copy_(torch.randn(parameter.shape, generator=generator))
    return layers


def optimizer(layers: torch.nn.Module) -> torch.optim.Optimizer:
    return torch.optim.Adam(layers.parameters(), lr=0.05)


def train_step(layers: torch.nn.Module, stepper: torch.optim.Optimizer, rank: int, step: int) -> None:
    generator = torch.Generator().manual_seed(100 * step + rank)
    first, norm, last = layers.children()
    stepper.zero_grad()
    inputs = torch.randn(6, 4, generator=generator) + rank
    last(norm(first(inputs)).double()).square().mean().backward()
    stepper.step()


def values(layers: torch.nn.Module) -> Tensors:
    return [parameter.detach().clone() for parameter in layers.parameters()]


def mean(everyones: list[Tensors]) -> Tensors:
    return [torch.stack(alike).mean(0) for alike in zip(*everyones, strict=True)]


def set_values(layers: torch.nn.Module, new: Tensors) -> None:
    with torch.no_grad():
        for parameter, value in zip(layers.parameters(), new, strict=True):
            parameter.copy_(value)
