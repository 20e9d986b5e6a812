"""Models that data-parallel training gets wrong when it is careless, each with a loss."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import nn
from torch.utils.checkpoint import checkpoint

FEATURES = 6


def inputs(rank: int, step: int) -> torch.Tensor:
    return torch.randn(4, FEATURES, generator=torch.Generator().manual_seed(100 * step + rank))


def tokens(rank: int, step: int) -> torch.Tensor:
    return torch.randint(10, (4, 5), generator=torch.Generator().manual_seed(100 * step + rank))


def squares(module: nn.Module, rank: int, step: int) -> torch.Tensor:
    loss: torch.Tensor = module(inputs(rank, step)).double().square().mean()
    return loss


def squares_of_tokens(module: nn.Module, rank: int, step: int) -> torch.Tensor:
    loss: torch.Tensor = module(tokens(rank, step)).square().mean()
    return loss


@dataclass(frozen=True)
class Case:
    make: Callable[[], nn.Module]
    loss: Callable[[nn.Module, int, int], torch.Tensor] = squares
    options: dict[str, Any] = field(default_factory=dict)


def layers() -> nn.Module:
    return nn.Sequential(nn.Linear(FEATURES, 20), nn.Tanh(), nn.Linear(20, 20), nn.Tanh(), nn.Linear(20, 3))


class Tied(nn.Module):
    """The embedding is the output layer as well."""

    def __init__(self) -> None:
        super().__init__()
        self.embedding = nn.Embedding(10, FEATURES)
        self.out = nn.Linear(FEATURES, 10, bias=False)
        self.out.weight = self.embedding.weight

    def forward(self, words: torch.Tensor) -> torch.Tensor:
        return self.out(self.embedding(words).tanh())


class Branches(nn.Module):
    """Which branch is used depends on rank and step; in steps 2, 5, ... nobody uses the second."""

    def __init__(self) -> None:
        super().__init__()
        self.trunk = nn.Linear(FEATURES, FEATURES)
        self.branches = nn.ModuleList([layers(), layers()])
        self.never = nn.Linear(3, 3)

    def forward(self, data: torch.Tensor, branch: int) -> torch.Tensor:
        return self.branches[branch](self.trunk(data))


def branching(module: nn.Module, rank: int, step: int) -> torch.Tensor:
    branch = 0 if step % 3 == 2 else (rank + step) % 2
    loss: torch.Tensor = module(inputs(rank, step), branch).square().mean()
    return loss


class AlwaysUnused(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.used, self.unused = layers(), layers()

    def forward(self, data: torch.Tensor) -> torch.Tensor:
        return self.used(data)


class MixedDtypes(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = nn.Linear(FEATURES, 9), nn.Linear(9, 9).double()
        self.third = nn.Linear(9, 2).bfloat16()

    def forward(self, data: torch.Tensor) -> torch.Tensor:
        return self.third(self.second(self.first(data).double()).bfloat16())


def frozen() -> nn.Module:
    module = layers()
    module[2].requires_grad_(False)  # type: ignore[index,operator]
    return module


class Sparse(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.embedding = nn.Embedding(10, FEATURES, sparse=True)
        self.out = layers()

    def forward(self, words: torch.Tensor) -> torch.Tensor:
        return self.out(self.embedding(words))


class Checkpointed(nn.Module):
    def __init__(self, reentrant: bool, times: int) -> None:
        super().__init__()
        self.first, self.block = nn.Linear(FEATURES, FEATURES), nn.Sequential(nn.Linear(FEATURES, FEATURES), nn.Tanh())
        self.reentrant, self.times = reentrant, times

    def forward(self, data: torch.Tensor) -> torch.Tensor:
        data = self.first(data)
        for _ in range(self.times):
            data = checkpoint(self.block, data, use_reentrant=self.reentrant)
        return data


class Recurrent(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.embedding, self.lstm = nn.Embedding(10, FEATURES), nn.LSTM(FEATURES, 8, num_layers=2, batch_first=True)

    def forward(self, words: torch.Tensor) -> torch.Tensor:
        return self.lstm(self.embedding(words))[0]


class NoElements(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.empty, self.layers = nn.Parameter(torch.empty(0, 3)), layers()

    def forward(self, data: torch.Tensor) -> torch.Tensor:
        return self.layers(data) + self.empty.sum()


def channels_last() -> nn.Module:
    return nn.Sequential(nn.Unflatten(1, (2, 3, 1)), nn.Conv2d(2, 5, (3, 1)), nn.Flatten(), nn.Linear(5, 2)).to(
        memory_format=torch.channels_last
    )


def gradient_penalty(module: nn.Module, rank: int, step: int) -> torch.Tensor:
    data = inputs(rank, step).requires_grad_()
    outputs = module(data)
    (slope,) = torch.autograd.grad(outputs.sum(), data, create_graph=True)
    loss: torch.Tensor = outputs.square().mean() + (slope.norm(dim=1) - 1).square().mean()
    return loss


class TwoOutputs(nn.Module):
    """The loss takes one of them."""

    def __init__(self) -> None:
        super().__init__()
        self.left, self.right = layers(), layers()

    def forward(self, data: torch.Tensor) -> dict[str, torch.Tensor]:
        return {"left": self.left(data), "right": self.right(data)}


def of_one_output(module: nn.Module, rank: int, step: int) -> torch.Tensor:
    loss: torch.Tensor = module(inputs(rank, step))["left" if step % 2 else "right"].square().mean()
    return loss


ZOO: dict[str, Case] = {
    "layers": Case(layers),
    "shared parameter": Case(Tied, squares_of_tokens),
    "unused branches": Case(Branches, branching, {"find_unused_parameters": True}),
    "unused branches, copied": Case(
        Branches, branching, {"find_unused_parameters": True, "gradient_as_bucket_view": False}
    ),
    "unused outputs": Case(TwoOutputs, of_one_output, {"find_unused_parameters": True}),
    "static and partly unused": Case(AlwaysUnused, options={"static_graph": True}),
    "mixed dtypes": Case(MixedDtypes),
    "frozen layer": Case(frozen),
    "sparse gradient": Case(Sparse, squares_of_tokens),
    "checkpointed": Case(lambda: Checkpointed(reentrant=False, times=3)),
    "checkpointed by reentrant passes": Case(
        lambda: Checkpointed(reentrant=True, times=3), options={"static_graph": True}
    ),
    "compiled": Case(lambda: torch.compile(layers(), backend="eager"), options={"bucket_cap_mb": 25}),
    "recurrent": Case(Recurrent, squares_of_tokens),
    "parameter without elements": Case(NoElements),
    "parameter beyond the capacity": Case(lambda: nn.Sequential(nn.Linear(FEATURES, 2000), nn.Linear(2000, 2))),
    "channels last": Case(channels_last),
    "double backward": Case(layers, gradient_penalty),
    "one large bucket": Case(layers, options={"bucket_cap_mb": 25}),
    "copied gradients": Case(layers, options={"gradient_as_bucket_view": False}),
}
