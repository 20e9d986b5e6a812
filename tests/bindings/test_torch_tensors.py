"""CPU tensors of torch, over DLPack: no process group, and allred need not know torch."""

from __future__ import annotations

import pytest

import allred

torch = pytest.importorskip("torch")

DTYPES = ("float64", "float32", "float16", "bfloat16", "int8", "int16", "int32", "int64", "uint8", "bool", "complex64")


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
