"""DistributedOptimizer trains as one process would on the batches of all ranks."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import torch
from clients.training import STEPS, batch, gradients, loss, model, optimizer, train_alone
from horovod.world import world

import allred
import allred.horovod as hvd


def distributed(module: torch.nn.Module, **options: Any) -> Any:
    return hvd.DistributedOptimizer(optimizer(module), named_parameters=module.named_parameters(), **options)


def assert_same_on_all_ranks(module: torch.nn.Module) -> None:
    flat = torch.cat([parameter.detach().flatten() for parameter in module.parameters()])
    assert all(torch.equal(flat, each) for each in hvd.allgather(flat[None]))


def trains(rank: int, size: int, options: dict[str, Any]) -> None:
    with world(rank, size):
        module = model()
        with torch.no_grad():
            for parameter in module.parameters():
                parameter.add_(rank)  # rank 0's values must win
        stepper = distributed(module, **options)
        hvd.broadcast_parameters(module.state_dict(), root_rank=0)
        hvd.broadcast_optimizer_state(stepper, root_rank=0)
        assert isinstance(stepper, torch.optim.SGD)
        for step in range(STEPS):
            stepper.zero_grad()
            loss(module, *batch(rank, step)).backward()
            assert hvd.allreduce(torch.tensor(rank), op=hvd.Sum).item() == sum(range(size))  # of the program's own
            stepper.step()
        torch.testing.assert_close(module.state_dict(), train_alone(model(), size).state_dict())
        assert_same_on_all_ranks(module)


@pytest.mark.parametrize(
    "options",
    [{}, {"num_groups": 3}, {"groups": 2}, {"gradient_predivide_factor": 4.0}],
    ids=lambda options: "-".join(options) or "default",
)
@pytest.mark.parametrize("size", [1, 2, 3])
def test_trains_like_one_process(ranks: Any, size: int, options: dict[str, Any]) -> None:
    ranks.run(size, trains, options)


@contextmanager
def small_buckets() -> Iterator[None]:
    """The test's models make several, as large ones do elsewhere."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("allred.horovod.gradients.MAX_BUCKET_BYTES", 1000)
        yield


def trains_in_many_buckets(rank: int, size: int) -> None:
    with small_buckets():
        trains(rank, size, {})


def test_many_buckets(ranks: Any) -> None:
    ranks.run(2, trains_in_many_buckets)


def groups_by_hand(rank: int, size: int) -> None:
    with world(rank, size):
        module = model()
        parameters = list(module.parameters())
        stepper = distributed(module, groups=[[parameters[0], parameters[-1]], parameters[2:4]])
        loss(module, *batch(rank, 0)).backward()
        stepper.step()
        torch.testing.assert_close(module.state_dict(), train_alone(model(), size, 1).state_dict())
        with pytest.raises(ValueError, match="each at most once"):
            distributed(module, groups=[[parameters[0], parameters[0]]])


def test_groups_of_parameters(ranks: Any) -> None:
    ranks.run(2, groups_by_hand)


def sums(rank: int, size: int) -> None:
    with world(rank, size):
        module, whole = model(), model()
        stepper = distributed(module, op=hvd.Sum)
        loss(module, *batch(rank, 0)).backward()
        stepper.synchronize()
        for peer in range(size):
            loss(whole, *batch(peer, 0)).backward()
        torch.testing.assert_close(gradients(module), gradients(whole))


def test_sum(ranks: Any) -> None:
    ranks.run(2, sums)


def compresses(rank: int, size: int, name: str, tolerance: float) -> None:
    class Recording(getattr(hvd.Compression, name)):  # type: ignore[misc]
        travelled: list[torch.dtype] = []  # noqa: RUF012

        @classmethod
        def compress(cls, tensor: torch.Tensor) -> Any:
            compressed, ctx = super().compress(tensor)
            cls.travelled.append(compressed.dtype)
            return compressed, ctx

    with world(rank, size):
        module, whole = model(), model()
        stepper = distributed(module, compression=Recording)
        loss(module, *batch(rank, 0)).backward()
        stepper.synchronize()
        for peer in range(size):
            (loss(whole, *batch(peer, 0)) / size).backward()
        assert set(Recording.travelled) == {torch.float16 if name == "fp16" else torch.bfloat16}
        for actual, expected in zip(gradients(module), gradients(whole), strict=True):
            assert actual.dtype == torch.float64
            torch.testing.assert_close(actual, expected, rtol=tolerance, atol=tolerance * 0.1)
            assert not torch.equal(actual, expected)


@pytest.mark.parametrize(("name", "tolerance"), [("fp16", 2e-3), ("bf16", 2e-2)])
def test_compression(ranks: Any, name: str, tolerance: float) -> None:
    ranks.run(2, compresses, name, tolerance)


def accumulates(rank: int, size: int) -> None:
    with world(rank, size):
        module, whole = model(), model()
        stepper, stepper_alone = distributed(module, backward_passes_per_step=2), optimizer(whole)
        for step in range(0, 6, 2):
            stepper.zero_grad()
            loss(module, *batch(rank, step)).backward()
            loss(module, *batch(rank, step + 1)).backward()
            stepper.step()
            stepper_alone.zero_grad()
            for peer in range(size):
                for each in (step, step + 1):
                    (loss(whole, *batch(peer, each)) / size).backward()
            stepper_alone.step()
        torch.testing.assert_close(module.state_dict(), whole.state_dict())
        stepper.zero_grad()
        for step in range(2):
            loss(module, *batch(rank, step)).backward()
        with pytest.raises(AssertionError, match="backward_passes_per_step=2 times"):
            loss(module, *batch(rank, 2)).backward()
        stepper.synchronize()
        stepper.set_backward_passes_per_step(3)
        for step in range(3):
            loss(module, *batch(rank, step)).backward()
        stepper.step()
        stepper.zero_grad()
        loss(module, *batch(rank, 0)).backward()  # one of three: an early step takes what there is
        stepper.synchronize()
        whole.load_state_dict(module.state_dict())
        stepper_alone.zero_grad()
        for peer in range(size):
            (loss(whole, *batch(peer, 0)) / size).backward()
        torch.testing.assert_close(gradients(module), gradients(whole))


def test_backward_passes_per_step(ranks: Any) -> None:
    ranks.run(2, accumulates)


def clips(rank: int, size: int) -> None:
    with world(rank, size):
        module, whole = model(), model()
        stepper, stepper_alone = distributed(module), optimizer(whole)
        for step in range(STEPS):
            stepper.zero_grad()
            loss(module, *batch(rank, step)).backward()
            stepper.synchronize()
            norm = torch.nn.utils.clip_grad_norm_(module.parameters(), 0.1)
            with stepper.skip_synchronize():
                stepper.step()
            stepper_alone.zero_grad()
            for peer in range(size):
                (loss(whole, *batch(peer, step)) / size).backward()
            torch.testing.assert_close(norm, torch.nn.utils.clip_grad_norm_(whole.parameters(), 0.1))
            stepper_alone.step()
        torch.testing.assert_close(module.state_dict(), whole.state_dict())


def test_gradients_are_clipped_between_synchronize_and_step(ranks: Any) -> None:
    ranks.run(2, clips)


def is_misused(rank: int, size: int) -> None:
    with world(rank, size):
        module = model()
        stepper = distributed(module)
        loss(module, *batch(rank, 0)).backward()
        with pytest.raises(AssertionError, match=r"zero_grad\(\) after backward\(\) and before step\(\)"):
            stepper.zero_grad()
        stepper.synchronize()
        with pytest.warns(UserWarning, match="skip_synchronize"):
            stepper.step()
        stepper.zero_grad()
        assert gradients(module) == []
        with pytest.raises(ValueError, match="stand for more than one parameter: a"):
            hvd.DistributedOptimizer(optimizer(module), [("a", parameter) for parameter in module.parameters()])
        with pytest.raises(ValueError, match=r"parameters \[1, 2"):
            hvd.DistributedOptimizer(optimizer(module), list(module.named_parameters())[:1])
        with pytest.raises(ValueError, match="tuples of a name and a parameter"):
            hvd.DistributedOptimizer(optimizer(module), module.parameters())  # type: ignore[arg-type]
        with pytest.raises(ValueError, match=r"gradient_predivide_factor=2\.0 with op=SUM"):
            distributed(module, op=hvd.Sum, gradient_predivide_factor=2.0)
        with pytest.raises(ValueError, match="backward_passes_per_step=0"):
            distributed(module, backward_passes_per_step=0)
        with pytest.raises(allred.UnsupportedError, match="weight: tensor is on meta"):
            distributed(torch.nn.Linear(1, 1, device="meta"))


def test_misuse(ranks: Any) -> None:
    ranks.run(2, is_misused)


class Branches(torch.nn.Module):
    """Uses its branches in whatever order, or not at all."""

    def __init__(self) -> None:
        super().__init__()
        self.branches = torch.nn.ModuleList([model() for _ in range(3)])

    def forward(self, inputs: torch.Tensor, order: list[int]) -> torch.Tensor:
        for branch in order:
            inputs = torch.nn.functional.pad(self.branches[branch](inputs), (0, 5))
        return inputs


ORDERS = [[[0, 1, 2], [2, 1, 0]], [[0], [1, 2]], [[], [2]], [[2, 0], [0, 2]]]  # by step and rank


def goes_its_own_way(rank: int, size: int) -> None:
    with world(rank, size), small_buckets():
        module, whole = Branches(), Branches()
        stepper, stepper_alone = distributed(module), optimizer(whole)
        for step, orders in enumerate(ORDERS):
            stepper.zero_grad()
            stepper_alone.zero_grad(set_to_none=False)  # as parameters that nobody uses get gradients of zeros
            for peer in range(size):
                if orders[peer]:
                    (whole(batch(peer, step)[0], orders[peer]).square().mean() / size).backward()
            if orders[rank]:
                module(batch(rank, step)[0], orders[rank]).square().mean().backward()
            assert hvd.allreduce(torch.tensor(1), op=hvd.Sum).item() == size
            stepper.step()
            for parameter in whole.parameters():
                if parameter.grad is None:
                    parameter.grad = torch.zeros_like(parameter)
            stepper_alone.step()
        torch.testing.assert_close(module.state_dict(), whole.state_dict())
        assert_same_on_all_ranks(module)


def test_ranks_whose_gradients_arrive_in_different_orders_or_not_at_all(ranks: Any) -> None:
    ranks.run(2, goes_its_own_way)


def has_several_optimizers(rank: int, size: int) -> None:
    """One backward pass reaches the parameters of both, as with the two sides of an adversarial network."""
    with world(rank, size):
        modules = [model(), torch.nn.Linear(3, 1).double()]
        hvd.broadcast_parameters(modules[1].state_dict())
        references = [model(), torch.nn.Linear(3, 1).double()]
        references[1].load_state_dict(modules[1].state_dict())
        steppers = [distributed(module) for module in modules]
        modules[1](modules[0](batch(rank, 0)[0])).sum().backward()
        for stepper in reversed(steppers):
            stepper.synchronize()
        for peer in range(size):
            (references[1](references[0](batch(peer, 0)[0])).sum() / size).backward()
        for module, reference in zip(modules, references, strict=True):
            torch.testing.assert_close(gradients(module), gradients(reference))
        again = distributed(modules[0])  # takes the place of the first
        again.zero_grad()
        loss(modules[0], *batch(rank, 1)).backward()
        again.step()
        assert_same_on_all_ranks(modules[0])


def test_several_optimizers(ranks: Any) -> None:
    ranks.run(2, has_several_optimizers)


def embeds(rank: int, size: int) -> None:
    with world(rank, size):
        torch.manual_seed(0)
        embedding, plain = torch.nn.Embedding(5, 3, sparse=True), torch.nn.Embedding(5, 3)
        plain.load_state_dict(embedding.state_dict())
        hvd.broadcast_parameters(embedding.state_dict())
        stepper = distributed(embedding, sparse_as_dense=True)
        embedding(torch.tensor([rank, 3])).square().sum().backward()
        stepper.synchronize()
        for peer in range(size):
            (plain(torch.tensor([peer, 3])).square().sum() / size).backward()
        torch.testing.assert_close(gradients(embedding), gradients(plain))
        distributed(embedding)
        embedding.zero_grad()
        with pytest.raises(allred.UnsupportedError, match="'weight' is sparse: pass sparse_as_dense=True"):
            embedding(torch.tensor([rank, 3])).square().sum().backward()


def test_sparse_as_dense(ranks: Any) -> None:
    ranks.run(2, embeds)


def steps_by_closure(rank: int, size: int) -> None:
    with world(rank, size):
        module = model()
        stepper = distributed(module)
        calls = []
        stepper.register_step_pre_hook(lambda *_: calls.append("hook"))
        stepper.load_state_dict(stepper.state_dict())  # where torch looks whether a class's step calls its hooks
        for step in range(STEPS):

            def closure(step: int = step) -> torch.Tensor:
                stepper.zero_grad()
                value = loss(module, *batch(rank, step))
                value.backward()
                return value

            assert stepper.step(closure) > 0
        assert calls == ["hook"] * STEPS
        torch.testing.assert_close(module.state_dict(), train_alone(model(), size).state_dict())


def test_step_with_a_closure(ranks: Any) -> None:
    ranks.run(2, steps_by_closure)


def schedules(rank: int, size: int) -> None:
    """A scheduler made before or after the optimizer is wrapped changes the rate of both."""
    with world(rank, size), warnings.catch_warnings():
        warnings.simplefilter("error")
        module = model()
        plain = optimizer(module)
        before = torch.optim.lr_scheduler.StepLR(plain, 1, gamma=0.5)
        stepper = hvd.DistributedOptimizer(plain, module.named_parameters())
        after = torch.optim.lr_scheduler.StepLR(stepper, 1, gamma=0.5)
        loss(module, *batch(rank, 0)).backward()
        stepper.step()
        after.step()
        assert stepper.param_groups[0]["lr"] == pytest.approx(0.025)
        assert plain.param_groups is stepper.param_groups
        assert before.get_last_lr() == [0.05]


def test_learning_rate_schedulers(ranks: Any) -> None:
    ranks.run(2, schedules)


def trains_in_a_set(rank: int, size: int) -> None:
    with world(rank, size):
        pair = hvd.add_process_set([0, 1])
        module = model()
        stepper = distributed(module, process_set=pair)
        loss(module, *batch(rank, 0)).backward()
        stepper.step()
        reference = train_alone(model(), 2, 1) if rank < 2 else model()
        if rank == 2:
            alone = optimizer(reference)
            loss(reference, *batch(rank, 0)).backward()
            alone.step()
        torch.testing.assert_close(module.state_dict(), reference.state_dict())


def test_process_set(ranks: Any) -> None:
    ranks.run(3, trains_in_a_set)
