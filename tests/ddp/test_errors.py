"""What goes wrong on one rank is an error on all, which says what it was; and training can go on."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from typing import Any

import pytest
import torch
import torch.distributed as dist
from ddp.zoo import AlwaysUnused, inputs, layers, squares
from torch import nn

from allred import DistributedDataParallel

SMALL = 0.001


def text_of_error(action: Callable[[], object]) -> str:
    try:
        action()
    except Exception as error:
        return str(error)
    return "no error"


def texts_of(action: Callable[[], object], size: int) -> list[str]:
    texts: list[Any] = [None] * size
    dist.all_gather_object(texts, text_of_error(action))
    return texts


def goes_on(parallel: nn.Module, rank: int) -> None:
    """A step of training, on all ranks."""
    parallel.zero_grad()
    squares(parallel, rank, 7).backward()


def has_another_model(rank: int, size: int) -> None:
    module = nn.Sequential(nn.Linear(3, 4 + rank), nn.Linear(2, 2, dtype=[torch.float32, torch.float64][rank]))
    if rank == 1:
        module.add_module("extra", nn.Linear(1, 1, bias=False))
    texts = texts_of(lambda: DistributedDataParallel(module), size)
    assert texts[0] == texts[1]
    for expected in (
        "0.weight is float32[4, 3], trained on rank 0 and float32[5, 3], trained on rank 1",
        "1.bias is float32[2], trained on rank 0 and float64[2], trained on rank 1",
        "rank 0 has no extra.weight, which rank 1 has as float32[1, 1], trained",
    ):
        assert expected in texts[0]


def freezes_a_layer(rank: int, size: int) -> None:
    module = layers()
    if rank == 1:
        module.get_submodule("2").requires_grad_(False)
    (text, other) = texts_of(lambda: DistributedDataParallel(module), size)
    assert text == other
    assert "2.weight is float32[20, 20], trained on rank 0 and float32[20, 20], frozen on rank 1" in text


def raises_in_a_hook(rank: int, size: int) -> None:
    def hook(state: object, bucket):  # type: ignore[no-untyped-def]
        if rank == 1 and bucket.index() == 1 and armed:
            raise ValueError("no more ink")
        work = dist.all_reduce(bucket.buffer(), dist.ReduceOp.AVG, async_op=True)
        return work.get_future().then(lambda done: done.value()[0])

    armed = False
    parallel = DistributedDataParallel(layers(), bucket_cap_mb=SMALL)
    parallel.register_comm_hook(None, hook)
    goes_on(parallel, rank)
    goes_on(parallel, rank)  # now in several buckets
    armed = True
    texts = texts_of(lambda: goes_on(parallel, rank), size)
    armed = False
    assert "no more ink" in texts[1]
    assert "rank 1" in texts[0]
    assert "no more ink" in texts[0]
    goes_on(parallel, rank)


def raises_in_backward(rank: int, size: int, module: nn.Module, first: str, **options: Any) -> None:
    parallel = DistributedDataParallel(module, bucket_cap_mb=SMALL, **options)
    goes_on(parallel, rank)
    goes_on(parallel, rank)
    weight = module.get_parameter(first)
    expected = weight.grad.clone()

    def break_off(_: torch.Tensor) -> None:
        raise ValueError("out of paper")

    handle = weight.register_hook(break_off) if rank == 1 else None

    def step_and_next() -> None:
        try:
            goes_on(parallel, rank)
        except ValueError:
            parallel(inputs(rank, 0))

    texts = texts_of(step_and_next, size)
    for text in texts:
        assert "did not end" in text
        assert first in text
    assert "rank 1" in texts[0]
    if handle:
        handle.remove()
    goes_on(parallel, rank)
    torch.testing.assert_close(weight.grad, expected, rtol=0, atol=0)


def raises_in_a_backward(rank: int, size: int) -> None:
    raises_in_backward(rank, size, layers(), "0.weight")


def raises_in_a_backward_of_a_static_graph(rank: int, size: int) -> None:
    raises_in_backward(rank, size, AlwaysUnused(), "used.0.weight", static_graph=True)


def skips_a_backward(rank: int, size: int) -> None:
    parallel = DistributedDataParallel(layers(), bucket_cap_mb=SMALL)
    goes_on(parallel, rank)
    if rank == 1:
        parallel(inputs(rank, 0))
    texts = texts_of(lambda: goes_on(parallel, rank), size)
    for text in texts:
        assert "ranks disagree" in text
        assert "in backward pass 2 after 1 forward" in text
        assert "in backward pass 2 after 2 forwards" in text
    goes_on(parallel, rank)


def leaves_parameters_unused(rank: int, size: int) -> None:
    parallel = DistributedDataParallel(AlwaysUnused())
    squares(parallel, rank, 0).backward()
    for text in texts_of(lambda: parallel(inputs(rank, 1)), size):
        assert "made no gradients for 6 parameters: unused.0.weight" in text
        assert "find_unused_parameters=True" in text


def has_gradients_twice(rank: int, size: int) -> None:
    parallel = DistributedDataParallel(layers())
    outputs = parallel(inputs(rank, 0))
    for text in texts_of(lambda: [outputs.sum().backward(retain_graph=True) for _ in range(2)], size):
        assert text == "no error"  # the second pass is not averaged, as nothing went forward before it
    goes_on(parallel, rank)


@pytest.mark.parametrize(
    "body",
    [
        has_another_model,
        freezes_a_layer,
        raises_in_a_hook,
        raises_in_a_backward,
        raises_in_a_backward_of_a_static_graph,
        skips_a_backward,
        leaves_parameters_unused,
        has_gradients_twice,
    ],
)
def test_all_ranks_learn_of_it(ranks: Any, body: Callable[..., None]) -> None:
    ranks.run(2, body)


def dies_between_buckets(rank: int, size: int) -> str:
    parallel = DistributedDataParallel(layers(), bucket_cap_mb=SMALL)
    goes_on(parallel, rank)
    goes_on(parallel, rank)

    def die(_: torch.Tensor) -> None:
        os.kill(os.getpid(), signal.SIGKILL)

    if rank == 1:
        parallel.module[0].weight.register_hook(die)
    return text_of_error(lambda: goes_on(parallel, rank))


def test_a_rank_that_dies_in_the_middle_of_a_pass(ranks: Any) -> None:
    survivor, _, other = ranks.run(3, dies_between_buckets, dying=[1])
    for text in (survivor, other):
        assert "rank 1" in text
        assert "all_reduce(op=avg" in text


@pytest.mark.parametrize(
    ("options", "error", "text"),
    [
        ({"compression": "zip"}, ValueError, "'zip' is not known"),
        ({"batched_grad_copy": True}, NotImplementedError, "batched_grad_copy=True"),
        ({"skip_all_reduce_unused_params": True}, NotImplementedError, "skip_all_reduce_unused_params"),
    ],
)
def test_options_that_are_refused(ranks: Any, options: dict[str, Any], error: type[Exception], text: str) -> None:
    ranks.run(2, refuses, options, error, text)


def refuses(rank: int, size: int, options: dict[str, Any], error: type[Exception], text: str) -> None:
    with pytest.raises(error, match=text):
        DistributedDataParallel(layers(), **options)
    with pytest.raises(ValueError, match="backend for CPU is gloo, expected allred"):
        DistributedDataParallel(layers(), process_group=dist.new_group(backend="gloo"))
