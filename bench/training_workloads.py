"""What bench/training.py trains: models of three sizes, on batches of a size each."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch
import torch.distributed as dist
from torch import nn

sys.path.append(str(Path(__file__).parent.parent / "examples"))

from lm_model import GPT, ModelConfig

MLP_FEATURES = 512
CONTEXT = 64  # tokens that a GPT could look at


@dataclass(frozen=True)
class Workload:
    """A model, and the batch of each rank.

    Attributes:
        make: the model.
        samples: of a batch.
        tokens: of a sample; 0 for an MLP, whose samples are vectors.
    """

    make: Callable[[], nn.Module]
    samples: int
    tokens: int = 0

    @property
    def batch(self) -> str:
        """For people."""
        return f"{self.samples} x {self.tokens}" if self.tokens else str(self.samples)

    def loss_of(self, module: nn.Module) -> Callable[[], torch.Tensor]:
        """The forward pass on the rank's batch, which is always the same."""
        generator = torch.Generator().manual_seed(dist.get_rank())
        if self.tokens:
            text = torch.randint(256, (self.samples, self.tokens + 1), generator=generator)
            tokens, targets = text[:, :-1].contiguous(), text[:, 1:].contiguous()

            def loss() -> torch.Tensor:
                found: torch.Tensor = module(tokens, targets)
                return found
        else:
            inputs = torch.randn(self.samples, MLP_FEATURES, generator=generator)
            labels = torch.randint(10, (self.samples,), generator=generator)

            def loss() -> torch.Tensor:
                return nn.functional.cross_entropy(module(inputs), labels)

        return loss


def mlp(width: int, layers: int) -> nn.Module:
    hidden = [layer for _ in range(layers) for layer in (nn.Linear(width, width), nn.ReLU())]
    return nn.Sequential(nn.Linear(MLP_FEATURES, width), nn.ReLU(), *hidden, nn.Linear(width, 10))


def gpt(layers: int, width: int) -> nn.Module:
    return GPT(ModelConfig(layers=layers, width=width, context=CONTEXT))


#: Small batches: communication is then most of what can be saved. A GPT's own computation grows with its tokens, and an
#: MLP's hardly with its samples, so the GPTs are trained on fewer and fewer.
WORKLOADS = {
    "mlp-1M": Workload(lambda: mlp(512, 3), samples=4),
    "mlp-10M": Workload(lambda: mlp(1408, 5), samples=4),
    "mlp-50M": Workload(lambda: mlp(2816, 6), samples=4),
    **{
        f"gpt-{size}{name}": Workload(lambda shape=shape: gpt(*shape), samples, tokens)  # type: ignore[misc]
        for size, shape in (("1M", (5, 128)), ("10M", (5, 416)), ("50M", (7, 768)))
        for name, samples, tokens in (("", 4, 64), ("-1x64", 1, 64), ("-1x32", 1, 32))
    },
}
