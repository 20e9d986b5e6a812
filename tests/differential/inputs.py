"""The values of tensors and objects, and how tensors lie in memory: functions of seed, step, rank and slot."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from differential import kinds
from differential.program import Shape

Key = tuple[int, int, int, int]  # seed, step, rank of the group, slot: which of the call's tensors


def bits(shape: Shape, dtype: torch.dtype, key: Key) -> torch.Tensor:
    """Any bits at all, for calls that only move them."""
    rng = np.random.default_rng(key)
    tensor = torch.empty(shape, dtype=dtype)
    if dtype is torch.bool:
        return tensor.copy_(torch.from_numpy(rng.integers(0, 2, shape, np.uint8)))
    if tensor.numel():
        tensor.view(-1).view(torch.uint8).copy_(
            torch.frombuffer(bytearray(rng.bytes(tensor.nbytes)), dtype=torch.uint8)
        )
    return tensor


def operands(shape: Shape, dtype: torch.dtype, op: str, key: Key) -> torch.Tensor:
    """Integers that up to six ranks can add or multiply in eight bits; floats far from overflow and underflow."""
    if op in kinds.BITWISE:
        return bits(shape, dtype, key)
    rng = np.random.default_rng(key)
    if dtype.is_floating_point:
        # A magnitude in [1/2, 2) where they are multiplied: no product of a few ranks leaves the range of float16.
        numbers = rng.standard_normal(shape)
        values = np.copysign(np.exp2(rng.uniform(-1, 1, shape)), numbers) if op == "product" else numbers
    elif dtype is torch.bool:
        values = rng.integers(0, 2, shape)
    elif op == "product":
        values = rng.choice([1, 2] if dtype is torch.uint8 else [-1, 1, 2], shape)
    else:
        values = rng.integers(0 if dtype is torch.uint8 else -20, 21, shape)
    return torch.as_tensor(values).to(dtype)


def sparse_operand(shape: Shape, dtype: torch.dtype, key: Key) -> torch.Tensor:
    """Most of its rows are absent; which ones differs between ranks."""
    rows = np.random.default_rng((*key, 0)).random(shape[0]) < 0.3
    dense = operands(shape, dtype, "sum", key) * torch.from_numpy(rows).view(-1, *[1] * (len(shape) - 1))
    return dense.to_sparse(1)


def laid_out(tensor: torch.Tensor, key: Key) -> torch.Tensor:
    """The same values: at an address of odd alignment, with gaps, or with the dimensions in the reverse order."""
    layout = np.random.default_rng((*key, 1)).integers(4)
    if layout == 0:
        place = tensor.new_empty(tensor.numel() + 1)[1:].view(tensor.shape)
    elif layout == 1:
        place = tensor.new_empty((*tensor.shape, 2))[..., 0]
    elif layout == 2:
        place = tensor.new_empty(tensor.shape[::-1]).permute(tuple(reversed(range(tensor.dim()))))
    else:
        return tensor
    return place.copy_(tensor)


def object_of(key: Key) -> Any:
    """Something to pickle, of a few bytes to a few hundred KiB."""
    rng = np.random.default_rng(key)
    number = int(rng.integers(1 << 40))
    return [
        None,
        number,
        {"rank": key[2], "values": [number, -1.5, "text" * (number % 50)]},
        rng.bytes(int(rng.integers(2000))),
        [bytes(number % (200 << 10)), {number}, (key,)],
    ][int(rng.integers(5))]
