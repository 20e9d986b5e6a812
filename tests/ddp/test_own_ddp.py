"""What allred.DistributedDataParallel has beside gradients: memory, compression, communicators, rebuilt buckets."""

from __future__ import annotations

import pickle
from typing import Any

import pytest
import torch
import torch.distributed as dist
from clients.training import assert_same_on_all_ranks
from ddp.zoo import inputs, layers, squares
from torch.nn.parallel import DistributedDataParallel as TorchDDP

import allred
from allred import DistributedDataParallel
from allred.bootstrap import StoreBootstrap
from allred.config import Config

SMALL = 0.001


def keeps_gradients_in_buckets(rank: int, size: int) -> None:
    module = layers()
    parallel = DistributedDataParallel(module, bucket_cap_mb=SMALL)
    for step in range(3):
        parallel.zero_grad()
        squares(parallel, rank, step).backward()
    storages = {parameter.grad.untyped_storage().data_ptr() for parameter in module.parameters()}
    buckets = parallel.reducer.bucket_bytes
    assert len(storages) == len(buckets) > 1
    sizes = {p.grad.untyped_storage().data_ptr(): p.grad.untyped_storage().nbytes() for p in module.parameters()}
    assert sum(sizes.values()) == sum(buckets) == sum(4 * parameter.numel() for parameter in module.parameters())


def rebuilds_in_order_of_arrival(rank: int, size: int) -> None:
    module = layers()
    parallel = DistributedDataParallel(module, bucket_cap_mb=SMALL)
    assert len(parallel.reducer.bucket_bytes) == 1
    squares(parallel, rank, 0).backward()
    parallel(inputs(rank, 1))
    # the last layer's gradients come first: 63 of 4 bytes; then 420, of which the weights fill a bucket; then the rest
    assert parallel.reducer.is_rebuilt
    assert sum(parallel.reducer.bucket_bytes) == 4 * sum(parameter.numel() for parameter in module.parameters())
    assert parallel.reducer.bucket_bytes[0] < sum(parallel.reducer.bucket_bytes)


def accepts_a_communicator(rank: int, size: int) -> None:
    store = dist.PrefixStore("ddp", dist.distributed_c10d._get_default_store())
    with allred.Communicator(StoreBootstrap(store, rank, size, 60.0), Config()) as comm:
        module = layers()
        parallel = DistributedDataParallel(module, process_group=comm)
        squares(parallel, rank, 0).backward()
        with pytest.raises(ValueError, match="join: the model has a Communicator"):
            parallel.join()
        expected = layers()
        expected.load_state_dict(module.state_dict())
        for peer in range(size):
            (squares(expected, peer, 0) / size).backward()
        for actual, wanted in zip(module.parameters(), expected.parameters(), strict=True):
            torch.testing.assert_close(actual.grad, wanted.grad)
        del parallel
        values = torch.ones(3)
        comm.all_reduce(values)  # the model did not close it
        assert values.tolist() == [size] * 3


def exchanges_state_with_torch(rank: int, size: int) -> None:
    own, theirs = DistributedDataParallel(layers()), TorchDDP(layers())
    assert isinstance(own, TorchDDP)
    theirs.load_state_dict(own.state_dict())
    own.load_state_dict(theirs.state_dict())
    copy = pickle.loads(pickle.dumps(own))
    squares(own, rank, 0).backward()
    squares(copy, rank, 0).backward()
    for actual, wanted in zip(copy.parameters(), own.parameters(), strict=True):
        torch.testing.assert_close(actual.grad, wanted.grad, rtol=0, atol=0)


def compresses(rank: int, size: int, compression: str, tolerance: float) -> None:
    module, exact = layers(), layers()
    exact.load_state_dict(module.state_dict())
    parallel = DistributedDataParallel(module, compression=compression)
    plain = DistributedDataParallel(exact)
    exact.load_state_dict(module.state_dict())
    squares(parallel, rank, 0).backward()
    squares(plain, rank, 0).backward()
    for actual, wanted in zip(module.parameters(), exact.parameters(), strict=True):
        torch.testing.assert_close(actual.grad, wanted.grad, rtol=tolerance, atol=tolerance)
    assert any(not torch.equal(a.grad, b.grad) for a, b in zip(module.parameters(), exact.parameters(), strict=True))


def joins_with_unused_parameters(rank: int, size: int) -> None:
    module = layers()
    parallel = DistributedDataParallel(module, find_unused_parameters=True, bucket_cap_mb=SMALL)
    stepper = torch.optim.SGD(module.parameters(), lr=0.1)
    with parallel.join():
        for step in range(2 + 2 * rank):
            stepper.zero_grad()
            squares(parallel, rank, step).backward()
            stepper.step()
    assert_same_on_all_ranks(module, size)


def logs(rank: int, size: int) -> None:
    parallel = DistributedDataParallel(layers(), bucket_cap_mb=2)
    squares(parallel, rank, 0).backward()
    data = parallel._get_ddp_logging_data()
    assert data["world_size"] == size
    assert data["backend_name"] == "allred"
    assert data["bucket_cap_bytes"] == 2 << 20


def learns_digits(rank: int, size: int) -> None:
    from sklearn.datasets import load_digits

    images, digits = (torch.from_numpy(part) for part in load_digits(return_X_y=True))
    images = (images / 16).float()
    torch.manual_seed(0)
    module = torch.nn.Sequential(torch.nn.Linear(64, 64), torch.nn.ReLU(), torch.nn.Linear(64, 10))
    parallel = DistributedDataParallel(module)
    stepper = torch.optim.Adam(parallel.parameters(), lr=0.01)
    mine = torch.arange(1400)[rank::size]
    for _ in range(20):
        for part in mine[torch.randperm(len(mine))].split(64):
            stepper.zero_grad()
            torch.nn.functional.cross_entropy(parallel(images[part]), digits[part]).backward()
            stepper.step()
    accuracy = (module(images[1400:]).argmax(1) == digits[1400:]).float().mean().item()
    assert accuracy > 0.88, accuracy
    assert_same_on_all_ranks(module, size)


def test_learns_the_digits(ranks: Any) -> None:
    pytest.importorskip("sklearn")
    ranks.run(2, learns_digits)


@pytest.mark.parametrize(
    "body",
    [
        keeps_gradients_in_buckets,
        rebuilds_in_order_of_arrival,
        accepts_a_communicator,
        exchanges_state_with_torch,
        joins_with_unused_parameters,
        logs,
    ],
)
def test_two_ranks(ranks: Any, body: Any) -> None:
    ranks.run(2, body)


@pytest.mark.parametrize(("compression", "tolerance"), [("bfloat16", 0.02), ("float16", 0.002), ("int8", 0.1)])
def test_compression(ranks: Any, compression: str, tolerance: float) -> None:
    ranks.run(2, compresses, compression, tolerance)


def trains_alone(rank: int, size: int) -> None:
    module, plain = layers(), layers()
    plain.load_state_dict(module.state_dict())
    parallel = DistributedDataParallel(module)
    for step in range(3):
        parallel.zero_grad()
        plain.zero_grad()
        squares(parallel, rank, step).backward()
        squares(plain, rank, step).backward()
        for actual, wanted in zip(module.parameters(), plain.parameters(), strict=True):
            torch.testing.assert_close(actual.grad, wanted.grad, rtol=0, atol=0)


def test_one_rank(ranks: Any) -> None:
    ranks.run(1, trains_alone)
