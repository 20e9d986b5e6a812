"""allred.hooks under stock DistributedDataParallel, with several buckets under way."""

from __future__ import annotations

from typing import Any

import pytest
import torch
import torch.distributed as dist
from clients.training import SAMPLES, STEPS, assert_same_on_all_ranks, batch, gradients, loss, model
from torch.nn.parallel import DistributedDataParallel

SMALL_BUCKETS = 0.001  # MiB: a layer each
EXACT = 1e-10


def gradients_of(rank: int, state: Any, hook: Any, steps: int = 3) -> list[torch.Tensor]:
    """Those of the last step, all on the same weights and batches; the buckets are filled anew after the first."""
    parallel = DistributedDataParallel(model().float(), bucket_cap_mb=SMALL_BUCKETS)
    parallel.register_comm_hook(state, hook)
    for _ in range(steps):
        parallel.zero_grad()
        inputs, targets = batch(rank, 0)
        loss(parallel, inputs.float(), targets.float()).backward()
    return gradients(parallel)


def gradients_alone(*ranks: int) -> list[torch.Tensor]:
    """Those of the batches of the given ranks, in float64."""
    alone = model()
    inputs, targets = zip(*(batch(rank, 0) for rank in ranks), strict=True)
    loss(alone, torch.cat(inputs), torch.cat(targets)).backward()
    return gradients(alone)


# How far from the exact mean, as a part of the largest gradient of any rank: two roundings each.
BOUNDS = {"bfloat16": 2 * 2**-8, "float16": 2 * 2**-11, "int8": 2.02 / 126, "int8_stochastic": 4.1 / 126}


def way(name: str, group: dist.ProcessGroup | None = None) -> tuple[Any, Any]:
    """State and hook; top_k sends few from the first step on."""
    import allred

    hooks = allred.hooks
    return hooks.from_compression(hooks.TopK(group=group, warm_up=0) if name == "topk" else name, group)


def reduces(rank: int, size: int, name: str) -> None:
    state, hook = way(name)
    largest = max(each.abs().max() for peer in range(size) for each in gradients_alone(peer))
    for gradient, expected in zip(gradients_of(rank, state, hook), gradients_alone(*range(size)), strict=True):
        error = (gradient.double() - expected).abs().max()
        assert error <= BOUNDS[name] * largest + 1e-6


@pytest.mark.parametrize("name", BOUNDS)
@pytest.mark.parametrize("size", [2, 3])
def test_gradients_are_averaged_within_the_bounds(ranks: Any, size: int, name: str) -> None:
    ranks.run(size, reduces, name)


def all_of_top_k(rank: int, size: int) -> None:
    import allred

    reduced = gradients_of(rank, allred.hooks.TopK(ratio=1), allred.hooks.top_k)
    for gradient, expected in zip(reduced, gradients_alone(*range(size)), strict=True):
        torch.testing.assert_close(gradient.double(), expected, rtol=1e-5, atol=1e-7)


def test_top_k_of_all_elements_is_the_mean(ranks: Any) -> None:
    ranks.run(2, all_of_top_k)


def spares_vectors(rank: int, size: int, name: str) -> None:
    """Those of one dimension are exact, and each matrix gets some of what is sent, however small its gradients."""
    state, hook = way(name)
    expected = gradients_alone(*range(size))
    for gradient, exact in zip(gradients_of(rank, state, hook, steps=1), expected, strict=True):
        if gradient.dim() == 1:
            torch.testing.assert_close(gradient.double(), exact, rtol=1e-5, atol=1e-7)
        else:
            assert not torch.allclose(gradient.double(), exact, rtol=1e-5, atol=1e-7)
            assert gradient.count_nonzero() > 0


@pytest.mark.parametrize("name", ["int8", "int8_stochastic", "topk"])
def test_vectors_travel_as_they_are_and_no_matrix_is_left_out(ranks: Any, name: str) -> None:
    ranks.run(2, spares_vectors, name)


def keeps_what_was_lost(rank: int, size: int, name: str) -> None:
    """What has been applied and what is kept add up to all gradients so far, though buckets change after one step."""
    import allred

    hooks = allred.hooks
    state, hook = {
        "int8": (hooks.Int8(error_feedback=True), hooks.int8),
        "top_k": (hooks.TopK(ratio=0.05, warm_up=1), hooks.top_k),
    }[name]
    parallel = DistributedDataParallel(model().float(), bucket_cap_mb=SMALL_BUCKETS)
    parallel.register_comm_hook(state, hook)
    alone = model().float()
    applied = [torch.zeros_like(parameter) for parameter in alone.parameters()]
    true = [torch.zeros_like(parameter) for parameter in alone.parameters()]
    for step in range(STEPS):
        parallel.zero_grad()
        alone.zero_grad()
        for module in (parallel, alone):
            inputs, targets = batch(rank, step)
            loss(module, inputs.float(), targets.float()).backward()
        for total, gradient in zip(applied, gradients(parallel), strict=True):
            total += gradient
        for total, gradient in zip(true, gradients(alone), strict=True):
            total += gradient
    kept = [state.residuals._pieces[parameter].view_as(parameter) for parameter in parallel.module.parameters()]
    assert max(each.abs().max() for each in kept) > 0
    for total, own, residual in zip(applied, true, kept, strict=True):
        mean = torch.stack([own, residual])
        dist.all_reduce(mean)
        accounted, expected = total + mean[1] / size, mean[0] / size
        torch.testing.assert_close(accounted, expected, rtol=0, atol=1e-6)


@pytest.mark.parametrize("name", ["int8", "top_k"])
def test_error_feedback_follows_the_buckets(ranks: Any, name: str) -> None:
    ranks.run(2, keeps_what_was_lost, name)


def warms_up(rank: int, size: int) -> None:
    """From all coefficients to the ratio: the first steps' means are exact, then ever more is kept."""
    import allred

    state = allred.hooks.TopK(ratio=0.01, warm_up=8)
    parallel = DistributedDataParallel(model().float(), bucket_cap_mb=SMALL_BUCKETS)
    parallel.register_comm_hook(state, allred.hooks.top_k)
    exact = gradients_alone(*range(size))
    kept = []
    for step in range(10):
        assert state.steps == step
        assert state.share() == pytest.approx(0.01 ** min(1, step / 8))
        parallel.zero_grad()
        inputs, targets = batch(rank, 0)
        loss(parallel, inputs.float(), targets.float()).backward()
        if step < 2:  # a share of more than a half
            for gradient, expected in zip(gradients(parallel), exact, strict=True):
                torch.testing.assert_close(gradient.double(), expected, rtol=1e-5, atol=1e-7)
        kept.append(sum(float(piece.norm()) for piece in state.residuals._pieces.values()))
    assert kept[1] == 0
    assert 0 < kept[4] < kept[9]


def test_the_warm_up_of_top_k(ranks: Any) -> None:
    ranks.run(2, warms_up)


def shows_infinities(rank: int, size: int) -> None:
    """To all ranks, and does not keep them."""
    import allred

    state = allred.hooks.TopK(ratio=0.1, warm_up=0)
    parallel = DistributedDataParallel(model().float(), bucket_cap_mb=SMALL_BUCKETS)
    parallel.register_comm_hook(state, allred.hooks.top_k)
    for step, bad in enumerate((1.0, float("inf"), 1.0)):
        parallel.zero_grad()
        inputs, targets = batch(rank, 0)
        outputs = parallel(inputs.float())
        (outputs * targets.float()).sum().mul(bad if rank == 0 else 1.0).backward()
        finite = [bool(gradient.isfinite().all()) for gradient in gradients(parallel)]
        assert all(finite) if step != 1 else not any(finite)
        assert all(piece.isfinite().all() for piece in state.residuals._pieces.values())


def test_top_k_shows_infinities_and_does_not_keep_them(ranks: Any) -> None:
    ranks.run(2, shows_infinities)


def trains_the_same_again(rank: int, size: int, name: str) -> None:
    trained = []
    for _ in range(2):
        plain = model().float()
        with dist_group() as group:  # a group of its own: random numbers depend on the number of the call
            parallel = DistributedDataParallel(plain, bucket_cap_mb=SMALL_BUCKETS, process_group=group)
            state, hook = way(name, group)
            parallel.register_comm_hook(state, hook)
            stepper = torch.optim.SGD(parallel.parameters(), lr=0.05, momentum=0.9)
            for step in range(STEPS):
                stepper.zero_grad()
                inputs, targets = batch(rank, step)
                loss(parallel, inputs.float(), targets.float()).backward()
                stepper.step()
        assert_same_on_all_ranks(plain, size)
        trained.append(torch.cat([parameter.detach().reshape(-1) for parameter in plain.parameters()]))
    assert torch.equal(*trained)


class dist_group:  # noqa: N801  # a function with an end
    def __enter__(self) -> dist.ProcessGroup:
        self.group = dist.new_group()
        return self.group

    def __exit__(self, *_: object) -> None:
        dist.destroy_process_group(self.group)


@pytest.mark.parametrize("name", [*BOUNDS, "topk"])
def test_ranks_and_runs_end_with_the_same_bits(ranks: Any, name: str) -> None:
    ranks.run(3, trains_the_same_again, name)


# ---- the optimiser ----

OPTIMISERS: dict[str, tuple[type[torch.optim.Optimizer], dict[str, Any]]] = {
    "SGD": (torch.optim.SGD, {"lr": 0.05}),
    "momentum": (torch.optim.SGD, {"lr": 0.05, "momentum": 0.9, "weight_decay": 0.01, "nesterov": True}),
    "AdamW": (torch.optim.AdamW, {"lr": 0.01, "betas": (0.8, 0.95), "weight_decay": 0.1}),
}


def by_torch(_, bucket):  # torch wants the types themselves or none, and here annotations are strings
    future = dist.all_reduce(bucket.buffer(), async_op=True).get_future()
    return future.then(lambda done: done.value()[0] / dist.get_world_size())  # another tensor than the bucket


def exact(_, bucket):
    return dist.all_reduce(bucket.buffer(), dist.ReduceOp.AVG, async_op=True).get_future().then(first_of)


def first_of(done: Any) -> torch.Tensor:
    result: torch.Tensor = done.value()[0]
    return result


def steps_on_arrival(rank: int, size: int, name: str, hook: Any, options: dict[str, Any]) -> None:
    import allred

    optimizer_class, settings = OPTIMISERS[name]
    plain = model()
    parallel = DistributedDataParallel(plain, bucket_cap_mb=SMALL_BUCKETS, **options)
    stepping = allred.hooks.step_on_arrival(globals()[hook], optimizer_class, **settings)
    parallel.register_comm_hook(None, stepping)
    alone = model()
    stepper = optimizer_class(alone.parameters(), **settings)
    for step in range(STEPS):
        rate = settings["lr"] / (step + 1)
        stepping.settings["lr"] = stepper.param_groups[0]["lr"] = rate
        parallel.zero_grad()
        loss(parallel, *batch(rank, step)).backward()
        stepper.zero_grad()
        inputs, targets = zip(*(batch(peer, step) for peer in range(size)), strict=True)
        loss(alone, torch.cat(inputs), torch.cat(targets)).backward()
        stepper.step()
    torch.testing.assert_close(plain.state_dict(), alone.state_dict(), rtol=EXACT, atol=EXACT)
    assert_same_on_all_ranks(plain, size)


@pytest.mark.parametrize("name", OPTIMISERS)
@pytest.mark.parametrize(
    ("hook", "options"),
    [("exact", {}), ("exact", {"gradient_as_bucket_view": True}), ("by_torch", {})],
    ids=["in place", "views", "another tensor"],
)
def test_steps_on_arrival_train_like_the_ordinary_optimiser(
    ranks: Any, name: str, hook: str, options: dict[str, Any]
) -> None:
    ranks.run(2, steps_on_arrival, name, hook, options)


def steps_on_compressed(rank: int, size: int) -> None:
    """On what the hook makes of the gradients, and on nothing else."""
    import allred

    trained = []
    for stepping in (True, False):
        plain = model().float()
        parallel = DistributedDataParallel(plain, bucket_cap_mb=SMALL_BUCKETS)
        state = allred.hooks.Int8(error_feedback=True)
        hook = allred.hooks.int8
        if stepping:
            hook = allred.hooks.step_on_arrival(hook, torch.optim.SGD, lr=0.05)
        parallel.register_comm_hook(state, hook)
        stepper = torch.optim.SGD(plain.parameters(), lr=0.0 if stepping else 0.05)
        for step in range(STEPS):
            parallel.zero_grad()
            inputs, targets = batch(rank, step)
            loss(parallel, inputs.float(), targets.float()).backward()
            stepper.step()
        trained.append(plain.state_dict())
    torch.testing.assert_close(*trained, rtol=1e-6, atol=1e-7)


def test_steps_on_arrival_of_compressed_gradients(ranks: Any) -> None:
    ranks.run(2, steps_on_compressed)


# ---- errors ----


def tells_what_is_wrong(rank: int, size: int) -> None:
    import allred

    hooks = allred.hooks
    backward = [
        (hooks.Int8(dist.new_group(backend="gloo")), hooks.int8, model(), "int8.*gloo, expected allred"),
        (hooks.TopK(group=dist.new_group(backend="gloo")), hooks.top_k, model(), "top_k.*gloo, expected allred"),
        (None, hooks.top_k, model(), "its state must be an allred.hooks.TopK, got NoneType"),
        (hooks.TopK(), hooks.bfloat16, model(), "the state must be a process group or None, got TopK"),
        (None, hooks.bfloat16, model().bfloat16(), "compression=bfloat16 compresses float64, float32, got dtype bfl"),
    ]
    for state, hook, plain, message in backward:
        parallel = DistributedDataParallel(plain)
        parallel.register_comm_hook(state, hook)
        inputs, targets = batch(rank, 0)
        dtype = next(plain.parameters()).dtype
        with pytest.raises((RuntimeError, ValueError, TypeError), match=message):
            loss(parallel, inputs.to(dtype), targets.to(dtype)).backward()
        dist.barrier()
    tensor = torch.ones(SAMPLES)
    with pytest.raises((RuntimeError, ValueError), match="compression='int4' is not known"):
        dist.group.WORLD._get_backend(torch.device("cpu")).compressed_all_reduce(tensor, "int4")
    dist.barrier()


def test_errors_name_the_group_the_state_and_the_dtype(ranks: Any) -> None:
    ranks.run(2, tells_what_is_wrong)


def test_wrong_settings() -> None:
    import allred

    hooks = allred.hooks
    with pytest.raises(ValueError, match=r"ratio=0: expected more than 0 and at most 1"):
        hooks.TopK(ratio=0)
    with pytest.raises(ValueError, match=r"warm_up=-1: expected 0 or more steps"):
        hooks.TopK(warm_up=-1)
    with pytest.raises(ValueError, match=r"seed=-1: expected 0 to 2\*\*64 - 1"):
        hooks.Int8(seed=-1)
    with pytest.raises(ValueError, match=r"optimizer_class=.*Rprop.*expected torch.optim.SGD or torch.optim.AdamW"):
        hooks.step_on_arrival(hooks.int8, torch.optim.Rprop)
    with pytest.raises(TypeError, match="cannot be called"):
        hooks.step_on_arrival("int8", torch.optim.SGD)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match=r"compression='int4' is not known; expected one of: bfloat16, .*topk"):
        hooks.from_compression("int4")
    with pytest.raises(TypeError, match="compression=4: expected a name"):
        hooks.from_compression(4)


def test_compressions_by_name_state_and_hook() -> None:
    import allred

    hooks = allred.hooks
    assert hooks.from_compression("bfloat16") == (None, hooks.bfloat16)
    state, hook = hooks.from_compression("topk")
    assert (state.ratio, state.warm_up, hook) == (0.01, 100, hooks.top_k)
    own = hooks.Int8(stochastic=True)
    assert hooks.from_compression(own) == (own, hooks.int8)
    assert hooks.from_compression(by_torch) == (None, by_torch)
