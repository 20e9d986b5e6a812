"""CPU tensors of torch, over DLPack: no process group, and allred need not know torch."""

from __future__ import annotations

import numpy as np
import pytest

import allred
from allred import _core

torch = pytest.importorskip("torch")

NARROW = ("float16", "bfloat16", "float8_e4m3fn", "float8_e5m2")
DTYPES = ("float64", "float32", *NARROW, "int8", "int16", "int32", "int64", "uint8", "bool", "complex64")


@pytest.mark.parametrize("name", DTYPES)
def test_dtypes(name: str) -> None:
    dtype = getattr(torch, name)

    def run(comm: allred.Communicator) -> None:
        tensor = torch.ones(2, 5).to(dtype)
        comm.all_reduce(tensor)
        assert torch.equal(tensor, torch.full((2, 5), 3).to(dtype))
        gathered = torch.empty(3, 5, dtype=dtype)
        comm.all_gather_into(gathered, torch.full((5,), comm.rank).to(dtype))
        assert torch.equal(gathered, torch.arange(3).to(dtype).unsqueeze(1).expand(3, 5))

    allred.run_threads(run, 3)


@pytest.mark.parametrize("name", NARROW)
def test_conversions_are_those_of_torch(name: str) -> None:
    """Of all narrow floats, and of float32 with any sign, exponent and upper fraction, near ties too."""
    dtype = getattr(torch, name)
    codes = np.arange(2 ** (8 * dtype.itemsize)).astype(f"uint{8 * dtype.itemsize}")
    widened = np.empty(codes.size, np.float32)
    _core.widen(widened, codes, name)
    np.testing.assert_array_equal(widened, torch.from_numpy(codes).view(dtype).float().numpy())

    upper, lower = np.arange(2**16, dtype=np.uint32) << 16, np.uint32([0, 1, 0x7FFF, 0x8000, 0x8001, 0xFFFF])
    values = (upper[:, None] | lower).ravel().view(np.float32)
    narrowed = np.empty(values.size, codes.dtype)
    _core.narrow(narrowed, values, name)
    expected = torch.from_numpy(values).to(dtype)
    same = narrowed == expected.view(getattr(torch, codes.dtype.name)).numpy()
    assert (same | np.isnan(values)).all()
    assert torch.from_numpy(narrowed).view(dtype).float()[np.isnan(values)].isnan().all()


def test_asynchronous_calls_keep_tensors() -> None:
    def run(comm: allred.Communicator) -> None:
        tensor = torch.ones(1000, dtype=torch.bfloat16)
        alias = tensor.view(10, 100)
        work = comm.all_reduce(tensor, async_op=True)
        del tensor
        work.wait()
        assert (alias == 2).all()

    allred.run_threads(run, 2)


@pytest.mark.parametrize("shape", [(), (0,), (0, 3)])
def test_shapes(shape: tuple[int, ...]) -> None:
    def run(comm: allred.Communicator) -> None:
        tensor = torch.ones(shape)
        comm.all_reduce(tensor)
        assert (tensor == 2).all()

    allred.run_threads(run, 2)


def test_what_is_refused() -> None:
    def run(comm: allred.Communicator) -> None:
        with pytest.raises(allred.InvalidArgumentError, match="contiguous"):
            comm.all_reduce(torch.ones(4, 4).t()[1:])
        with pytest.raises(BufferError):
            comm.all_reduce(torch.ones(4, requires_grad=True))
        with pytest.raises((allred.InvalidArgumentError, BufferError, TypeError, RuntimeError)):
            comm.all_reduce(torch.ones(4).to_sparse())
        with pytest.raises(allred.InvalidArgumentError):
            comm.all_reduce(torch.ones(4), op="band")
        comm.barrier()

    allred.run_threads(run, 1)
