"""Reductions whose result needs a rule: of eight-bit floats, of integers that do not divide, with a factor."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
import torch
import torch.distributed as dist

FLOAT8 = [torch.float8_e4m3fn, torch.float8_e5m2]
SIGNED = [torch.int8, torch.int16, torch.int32, torch.int64]
UNSIGNED = [torch.uint8, torch.uint16, torch.uint32, torch.uint64]
COUNTS = [0, 1, 7, 255, 9_001]


def all_forms(inputs: list[torch.Tensor], rank: int, op: Any, expected: torch.Tensor) -> Iterator[tuple[Any, ...]]:
    """What each call that reduces makes of the ranks' inputs, and what it should."""
    size, count = len(inputs), len(expected)
    tensor = inputs[rank].clone()
    dist.all_reduce(tensor, op)
    yield "all_reduce", tensor, expected
    tensor = inputs[rank].clone()
    dist.reduce(tensor, size - 1, op)
    yield "reduce", tensor, expected if rank == size - 1 else inputs[rank]
    if count % size == 0:
        block = torch.empty(count // size, dtype=tensor.dtype)
        dist.reduce_scatter_tensor(block, inputs[rank], op)
        yield "reduce_scatter", block, expected.chunk(size)[rank] if count else expected


def assert_bits(actual: torch.Tensor, expected: torch.Tensor, about: object) -> None:
    """Any NaN is as good as any other."""
    both = [each.float() if each.dtype in FLOAT8 else each for each in (actual, expected)]
    assert actual.dtype == expected.dtype, about
    torch.testing.assert_close(*both, rtol=0, atol=0, equal_nan=True, msg=lambda text: f"{about}: {text}")


def every_float8(seed: int, count: int, dtype: torch.dtype) -> torch.Tensor:
    """All finite values in turn."""
    finite = torch.arange(256, dtype=torch.int16).to(torch.uint8).view(dtype)
    finite = finite[finite.float().isfinite()]
    return finite.view(torch.uint8)[(torch.arange(count) * (2 * seed + 1) + 37 * seed) % len(finite)].view(dtype)


def float8(rank: int, size: int) -> None:
    """All is added up in float32, and rounded once."""
    for dtype in FLOAT8:
        for count in COUNTS:
            inputs = [every_float8(peer, count, dtype) for peer in range(size)]
            wide = torch.stack([each.float() for each in inputs])
            references = {"SUM": wide.sum(0), "AVG": wide.sum(0) / size, "MIN": wide.amin(0), "MAX": wide.amax(0)}
            for name, reference in references.items():
                expected = reference.to(dtype)
                for form, actual, wanted in all_forms(inputs, rank, getattr(dist.ReduceOp, name), expected):
                    assert_bits(actual, wanted, (form, name, dtype, count))


def averages_of_integers(rank: int, size: int) -> None:
    """The sum divided towards zero, whichever sign it has."""
    for dtype in [*SIGNED, *UNSIGNED]:
        for count in COUNTS:
            sign = -1 if dtype in SIGNED else 1
            wide = [(torch.arange(count) * (peer + 3) % 31) * sign ** torch.arange(count) for peer in range(size)]
            total = torch.stack(wide).sum(0)
            expected = torch.div(total, size, rounding_mode="trunc").to(dtype)
            inputs = [each.to(dtype) for each in wide]
            for form, actual, wanted in all_forms(inputs, rank, dist.ReduceOp.AVG, expected):
                assert torch.equal(actual.long(), wanted.long()), (form, dtype, count)
    tensor = torch.full((3,), -1 if rank == 0 else 0)
    dist.all_reduce(tensor, dist.ReduceOp.AVG)
    assert tensor.tolist() == [-1 if size == 1 else 0] * 3  # where a floor would be -1


def premultiplied(rank: int, size: int) -> None:
    for dtype in (torch.float64, torch.float32, torch.float16, torch.bfloat16, *FLOAT8):
        for factor in (0.5, -2.0, 0.0):
            for count in (0, 1, 12, 9_000):
                wide = [((torch.arange(count) + peer) % 5 - 2).double() for peer in range(size)]  # exact in all types
                expected = (torch.stack(wide).sum(0) * factor).to(dtype)
                op = dist._make_nccl_premul_sum(factor)
                for form, actual, wanted in all_forms([each.to(dtype) for each in wide], rank, op, expected):
                    assert_bits(actual, wanted, (form, dtype, factor, count))


def a_factor_of_its_own(rank: int, size: int) -> None:
    """Each rank multiplies what it brings by what it says."""
    tensor = torch.ones(1000)
    dist.all_reduce(tensor, dist._make_nccl_premul_sum(torch.tensor(rank + 1.0)))
    assert torch.all(tensor == sum(range(1, size + 1)))


def asynchronously(rank: int, size: int) -> None:
    op = dist._make_nccl_premul_sum(0.25)
    tensors = [torch.full((100,), rank - 7, dtype=dtype) for dtype in (torch.int32, torch.float8_e5m2, torch.float32)]
    works = [
        dist.all_reduce(tensor, how, async_op=True)
        for tensor, how in zip(tensors, (dist.ReduceOp.AVG, dist.ReduceOp.MAX, op), strict=True)
    ]
    for work in works:
        work.wait()
    total = sum(peer - 7 for peer in range(size))
    assert tensors[0].tolist() == [int(total / size)] * 100
    assert tensors[1].float().tolist() == [size - 8.0] * 100
    assert tensors[2].tolist() == [total / 4] * 100


BODIES = [float8, averages_of_integers, premultiplied, a_factor_of_its_own, asynchronously]


@pytest.mark.parametrize("size", [1, 2, 3, 4])
@pytest.mark.parametrize("body", BODIES, ids=lambda body: body.__name__)
def test_reduction(ranks: Any, body: Callable[..., None], size: int) -> None:
    ranks.run(size, body)
