"""What tensors are made into while they travel."""

from __future__ import annotations

from typing import Any

import torch


class Compressor:
    """Base of compressions; the program may bring its own.

    A compressed tensor is reduced as it is, so what is reduced must mean the sum of what was compressed.
    """

    @staticmethod
    def compress(tensor: torch.Tensor) -> tuple[torch.Tensor, Any]:
        """What travels in the place of a tensor, and what :meth:`decompress` needs to know."""
        raise NotImplementedError

    @staticmethod
    def decompress(tensor: torch.Tensor, ctx: Any) -> torch.Tensor:
        """What has travelled, as it was before."""
        raise NotImplementedError


class NoneCompressor(Compressor):
    """Tensors travel as they are."""

    @staticmethod
    def compress(tensor: torch.Tensor) -> tuple[torch.Tensor, Any]:
        """The tensor itself."""
        return tensor, None

    @staticmethod
    def decompress(tensor: torch.Tensor, ctx: Any) -> torch.Tensor:
        """The tensor itself."""
        return tensor


class _Narrow(Compressor):
    dtype: torch.dtype

    @classmethod
    def compress(cls, tensor: torch.Tensor) -> tuple[torch.Tensor, Any]:
        narrow = tensor.is_floating_point() and tensor.dtype.itemsize > cls.dtype.itemsize
        return (tensor.to(cls.dtype) if narrow else tensor), tensor.dtype

    @staticmethod
    def decompress(tensor: torch.Tensor, ctx: Any) -> torch.Tensor:
        return tensor.to(ctx)


class FP16Compressor(_Narrow):
    """Floats that are wider travel as float16, and are summed in float32."""

    dtype = torch.float16


class BF16Compressor(_Narrow):
    """Floats that are wider travel as bfloat16, with the range of float32, and are summed in float32."""

    dtype = torch.bfloat16


class Compression:
    """Those that there are."""

    none = NoneCompressor
    fp16 = FP16Compressor
    bf16 = BF16Compressor
