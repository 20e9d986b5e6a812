"""torch.compile with functional collectives: one graph, with the calls in it, that computes what one process does."""

from __future__ import annotations

from typing import Any

import torch
import torch.distributed as dist
import torch.distributed._functional_collectives as functional
from torch._dynamo.testing import CompileCounterWithBackend

COMPILING_SECONDS = 110  # mostly the C++ compiler, which shares the machine's cores with that of the other rank


def inputs(rank: int, size: int) -> torch.Tensor:
    return torch.randn(size, 4, generator=torch.Generator().manual_seed(rank), dtype=torch.float64)


def collectives(tensor: torch.Tensor, size: int) -> torch.Tensor:
    group = dist.group.WORLD
    total = functional.all_reduce(tensor.sin(), "sum", group)
    mine = functional.reduce_scatter_tensor(total * 2, "sum", 0, group)
    rows = functional.all_gather_tensor(mine.cos(), 0, group)
    exchanged = functional.all_to_all_single(rows + tensor, None, None, group)
    return functional.broadcast(exchanged, 1, group) + 1


def collectives_alone(size: int) -> torch.Tensor:
    everyones = [inputs(rank, size) for rank in range(size)]
    rows = (size * 2 * sum(tensor.sin() for tensor in everyones)).cos()
    return torch.stack([(rows + tensor)[1] for tensor in everyones]) + 1


def compiles(rank: int, size: int) -> None:
    torch.compiler.reset()
    counter = CompileCounterWithBackend("aot_eager")
    compiled = torch.compile(collectives, backend=counter, fullgraph=True)
    for _ in range(2):
        torch.testing.assert_close(compiled(inputs(rank, size), size), collectives_alone(size))
    assert counter.frame_count == 1
    calls = " ".join(str(node.target) for node in counter.graphs[0].graph.nodes)
    for name in ("all_reduce", "reduce_scatter_tensor", "all_gather_into_tensor", "all_to_all_single", "broadcast"):
        assert f"_c10d_functional.{name}" in calls, name


def test_functional_collectives(ranks: Any) -> None:
    ranks.run(2, compiles)


def generates_code(rank: int, size: int) -> None:
    torch.compiler.reset()
    torch._inductor.config.compile_threads = 1  # in this process: a pool of compilers would outlive the test

    @torch.compile(fullgraph=True)
    def twice_the_sum(tensor: torch.Tensor) -> torch.Tensor:
        return functional.all_reduce(tensor, "sum", dist.group.WORLD) * 2

    for step in range(3):
        expected = 2 * sum(inputs(peer + 10 * step, size) for peer in range(size))
        torch.testing.assert_close(twice_the_sum(inputs(rank + 10 * step, size)), expected)


def test_generated_code(ranks: Any) -> None:
    ranks.run(2, generates_code, seconds=COMPILING_SECONDS)


def differentiates(rank: int, size: int) -> None:
    torch.compiler.reset()
    tensor = inputs(rank, size).requires_grad_()

    @torch.compile(backend="aot_eager", fullgraph=True)
    def gathered(mine: torch.Tensor) -> torch.Tensor:
        return functional.all_gather_tensor_autograd(mine, 0, dist.group.WORLD).square()

    (gathered(tensor) * (rank + 1)).sum().backward()
    torch.testing.assert_close(tensor.grad, 2 * tensor.detach() * sum(range(1, size + 1)))


def test_gradients_of_functional_collectives(ranks: Any) -> None:
    ranks.run(2, differentiates)


def uses_plain_calls(rank: int, size: int) -> None:
    """The compiler makes functional collectives of them."""
    torch.compiler.reset()

    @torch.compile(backend="aot_eager", fullgraph=True)
    def gathered_sum(tensor: torch.Tensor) -> torch.Tensor:
        total = tensor * 1
        dist.all_reduce(total)
        everyones = torch.empty(size * size, 4, dtype=tensor.dtype)
        dist.all_gather_into_tensor(everyones, total)
        return everyones * 2

    total = sum(inputs(peer, size) for peer in range(size))
    torch.testing.assert_close(gathered_sum(inputs(rank, size)), torch.cat([total] * size) * 2)


def test_calls_in_place(ranks: Any) -> None:
    ranks.run(2, uses_plain_calls)
