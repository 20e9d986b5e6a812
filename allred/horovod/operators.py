"""What a reduction makes of the ranks' values."""

from __future__ import annotations

from enum import Enum

import torch


class ReduceOp(Enum):
    """An operator. Its value is what the rest of allred calls it, Adasum apart, which is an algorithm of its own."""

    AVERAGE = "avg"
    SUM = "sum"
    ADASUM = "adasum"
    MIN = "min"
    MAX = "max"
    PRODUCT = "product"


Average = ReduceOp.AVERAGE
Sum = ReduceOp.SUM
Adasum = ReduceOp.ADASUM
Min = ReduceOp.MIN
Max = ReduceOp.MAX
Product = ReduceOp.PRODUCT


def chosen_op(op: ReduceOp | None, average: bool | None) -> ReduceOp:
    """The operator that a call means, which may still give Horovod's older ``average``; by default Average.

    Raises:
        ValueError: both are given, or `op` is none of this module.
    """
    if op is None:
        return Sum if average is False else Average
    if average is not None:
        raise ValueError(f"op={op} and average={average}: expected only one of them; op is the newer")
    if op not in tuple(ReduceOp):
        names = ", ".join(f"hvd.{name.name.capitalize()}" for name in ReduceOp)
        raise ValueError(f"op={op!r}: expected one of {names}")
    return op


def identity(op: str, dtype: torch.dtype) -> float:
    """What leaves the result as it is when a rank contributes it to a reduction by `op`."""
    if op == "product":
        return 1
    if op not in ("min", "max"):
        return 0
    if dtype == torch.bool:
        return op == "min"
    if dtype.is_floating_point and dtype != torch.float8_e4m3fn:
        return float("inf") if op == "min" else float("-inf")
    limits = torch.finfo(dtype) if dtype.is_floating_point else torch.iinfo(dtype)
    result: float = limits.max if op == "min" else limits.min
    return result
