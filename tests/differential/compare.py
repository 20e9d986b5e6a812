"""What makes two results of one call the same.

Moved bytes, integers, bools, and the minimum and maximum of floats must be equal, bit by bit. Sums, averages and
products of floats may differ in how they were rounded. With n ranks and unit roundoff u = eps / 2, an evaluation in any
order, rounding to the dtype at each step, errs by at most g = n u / (1 - n u) times the sum of the absolute values
(for averages, divided by n), or the absolute value of the product. (n - 1 roundings, and one for the division.) Two of
them differ by at most 2 g, which is below (n + 1) eps for n (n + 1) u <= 1: up to 15 ranks even in bfloat16. One that
accumulates in a wider type and rounds once is well within the same bound.
"""

from __future__ import annotations

from typing import Any

import torch
from differential import inputs, kinds
from differential.program import Call


def difference(call: Call, key: inputs.Key, size: int, reference: list[Any], candidate: list[Any]) -> str | None:
    """Of the results of a call by a rank of a group of `size`; `key` is that of its first input."""
    if len(reference) != len(candidate):
        return f"{len(candidate)} results, expected {len(reference)}"
    for slot, (expected, found) in enumerate(zip(reference, candidate, strict=True)):
        if said := _of_one(call, key, size, slot, expected, found):
            return f"result {slot} of {len(reference)}: {said}"
    return None


def _of_one(call: Call, key: inputs.Key, size: int, slot: int, expected: Any, found: Any) -> str | None:
    if not isinstance(expected, torch.Tensor):
        return None if expected == found else f"expected {_short(expected)}, found {_short(found)}"
    if (expected.shape, expected.dtype) != (found.shape, found.dtype):
        return f"expected {expected.shape} of {expected.dtype}, found {found.shape} of {found.dtype}"
    if _same_bits(expected, found):
        return None
    if not (expected.is_floating_point() and call.op in kinds.ROUNDED):
        return _first(expected, found, _differing_bytes(expected, found), "the same bits")
    bound = rounding_bound(call.op, contributions(call, key, size, slot))
    wrong = ~((expected.double() - found.double()).abs() <= bound)  # a NaN is wrong
    if not wrong.any():
        return None
    where = int(wrong.flatten().nonzero()[0])
    return _first(expected, found, wrong, f"at most {bound.flatten()[where].item():.3g} apart")


def rounding_bound(op: str, operands: list[torch.Tensor]) -> torch.Tensor:
    """By how much two results from these operands may differ, for each element."""
    magnitudes = torch.stack([operand.double().abs() for operand in operands])
    scale = {"sum": magnitudes.sum, "avg": magnitudes.mean, "product": magnitudes.prod}[op](0)
    precision = torch.finfo(operands[0].dtype)
    smallest = precision.smallest_normal * precision.eps  # a quotient may be that small
    return (len(operands) + 1) * precision.eps * scale + smallest


def contributions(call: Call, key: inputs.Key, size: int, output: int) -> list[torch.Tensor]:
    """What each rank of the group contributes to the caller's result number `output`."""
    seed, step, rank, _ = key
    dtype = getattr(torch, call.dtype)
    if call.kind == "all_reduce_sparse":
        return [inputs.sparse_operand(call.shape, dtype, (seed, step, peer, 0)).to_dense() for peer in range(size)]
    slot = rank if call.kind.startswith("reduce_scatter") else output
    shape = call.shapes[output]
    return [inputs.operands(shape, dtype, call.op, (seed, step, peer, slot)) for peer in range(size)]


def _as_bytes(tensor: torch.Tensor) -> torch.Tensor:
    return tensor.contiguous().unsqueeze(-1).view(torch.uint8)


def _same_bits(one: torch.Tensor, other: torch.Tensor) -> bool:
    return bool(torch.equal(_as_bytes(one), _as_bytes(other)))


def _differing_bytes(one: torch.Tensor, other: torch.Tensor) -> torch.Tensor:
    return (_as_bytes(one) != _as_bytes(other)).any(-1)


def _first(expected: torch.Tensor, found: torch.Tensor, wrong: torch.Tensor, tolerance: str) -> str:
    where = int(wrong.flatten().nonzero()[0])
    pair = [tensor.flatten()[where].item() for tensor in (expected, found)]
    return (
        f"{int(wrong.sum())} of {wrong.numel()} elements differ; the first, number {where}, "
        f"should be {pair[0]} and is {pair[1]} ({tolerance})"
    )


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) < 200 else text[:200] + "..."
