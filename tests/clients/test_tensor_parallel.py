"""parallelize_module: layers split over ranks compute what they compute whole, forwards and backwards."""

from __future__ import annotations

import copy
from typing import Any

import pytest
import torch
from torch.distributed.device_mesh import DeviceMesh, init_device_mesh
from torch.distributed.fsdp import fully_shard
from torch.distributed.tensor import DTensor, Replicate, Shard
from torch.distributed.tensor.parallel import (
    ColwiseParallel,
    RowwiseParallel,
    SequenceParallel,
    loss_parallel,
    parallelize_module,
)
from torch.nn.functional import cross_entropy

VOCABULARY, WIDTH, TOKENS, SEQUENCES = 24, 12, 12, 4


class Block(torch.nn.Module):
    """A language model with one feed-forward layer."""

    def __init__(self) -> None:
        super().__init__()
        self.embedding = torch.nn.Embedding(VOCABULARY, WIDTH)
        self.norm = torch.nn.LayerNorm(WIDTH)
        self.up = torch.nn.Linear(WIDTH, 4 * WIDTH)
        self.down = torch.nn.Linear(4 * WIDTH, WIDTH)
        self.head = torch.nn.Linear(WIDTH, VOCABULARY)

    def forward(self, tokens: torch.Tensor) -> torch.Tensor:
        hidden = self.embedding(tokens)
        hidden = hidden + self.down(torch.nn.functional.silu(self.up(self.norm(hidden))))
        logits: torch.Tensor = self.head(hidden)
        return logits


# Between the layers the sequence is split; the head's result is split by words of the vocabulary.
PLAN = {
    "embedding": RowwiseParallel(input_layouts=Replicate(), output_layouts=Shard(1)),
    "norm": SequenceParallel(),
    "up": ColwiseParallel(input_layouts=Shard(1)),
    "down": RowwiseParallel(output_layouts=Shard(1)),
    "head": ColwiseParallel(input_layouts=Shard(1), output_layouts=Shard(-1), use_local_output=False),
}


def block() -> Block:
    torch.manual_seed(0)
    return Block().double()


def tokens(rank: int) -> torch.Tensor:
    return torch.randint(VOCABULARY, (SEQUENCES, TOKENS), generator=torch.Generator().manual_seed(rank))


def loss(module: torch.nn.Module, inputs: torch.Tensor) -> torch.Tensor:
    return cross_entropy(module(inputs).flatten(0, 1), inputs.roll(-1, 1).flatten())


def assert_same_gradients(parallel: torch.nn.Module, alone: torch.nn.Module) -> None:
    for (name, actual), expected in zip(parallel.named_parameters(), alone.parameters(), strict=True):
        assert isinstance(actual.grad, DTensor)
        torch.testing.assert_close(actual.grad.full_tensor(), expected.grad, msg=lambda text, of=name: f"{of}: {text}")


def computes(rank: int, size: int) -> None:
    alone = block()
    parallel = parallelize_module(copy.deepcopy(alone), init_device_mesh("cpu", (size,)), PLAN)
    assert parallel.up.weight.to_local().shape[0] == 4 * WIDTH // size
    expected = loss(alone, tokens(0))
    expected.backward()
    with loss_parallel():
        actual = loss(parallel, tokens(0))
        torch.testing.assert_close(actual.full_tensor(), expected)
        actual.backward()
    assert_same_gradients(parallel, alone)


@pytest.mark.parametrize("size", [2, 3])
def test_computes_as_one_process(ranks: Any, size: int) -> None:
    ranks.run(size, computes)


def generates(rank: int, size: int) -> None:
    """As a server does: the input is replicated, and so is the result."""
    alone = block()
    plan = {
        "embedding": RowwiseParallel(input_layouts=Replicate()),
        "up": ColwiseParallel(),
        "down": RowwiseParallel(),
        "head": ColwiseParallel(output_layouts=Replicate()),
    }
    parallel = parallelize_module(copy.deepcopy(alone), init_device_mesh("cpu", (size,)), plan)
    with torch.inference_mode():
        torch.testing.assert_close(parallel(tokens(0)), alone(tokens(0)))


def test_inference(ranks: Any) -> None:
    ranks.run(2, generates)


def two_dimensional(mesh: DeviceMesh, module: Block) -> Block:
    parallelize_module(module, mesh["tensor"], PLAN)
    for layer in (module.up, module.down):
        fully_shard(layer, mesh=mesh["data"])
    return fully_shard(module, mesh=mesh["data"])


def combines(rank: int, size: int) -> None:
    alone = block()
    mesh = init_device_mesh("cpu", (2, 2), mesh_dim_names=("data", "tensor"))
    parallel = two_dimensional(mesh, copy.deepcopy(alone))
    with loss_parallel():
        loss(parallel, tokens(mesh.get_local_rank("data"))).backward()
    (sum(loss(alone, tokens(replica)) for replica in range(2)) / 2).backward()
    assert_same_gradients(parallel, alone)


def test_with_sharded_data_parallelism(ranks: Any) -> None:
    ranks.run(4, combines)
