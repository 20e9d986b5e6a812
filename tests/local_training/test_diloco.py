"""DiLoCo against all ranks in one process, with the outer optimizer written out."""

from __future__ import annotations

import pytest
import torch
from local_training.simulation import RANKS, STEPS, mean, module, optimizer, set_values, train_step, values

import allred


def simulated(period: int, outer_lr: float, momentum: float) -> list[torch.Tensor]:
    """Nesterov: v = momentum v + g, and theta = theta - lr (g + momentum v)."""
    everyone = [module() for _ in range(RANKS)]
    steppers = [optimizer(layers) for layers in everyone]
    common = values(everyone[0])
    velocities = [torch.zeros_like(tensor) for tensor in common]
    for step in range(STEPS):
        for rank in range(RANKS):
            train_step(everyone[rank], steppers[rank], rank, step)
        if (step + 1) % period == 0:
            means = mean([values(layers) for layers in everyone])
            gradients = [before - after for before, after in zip(common, means, strict=True)]
            velocities = [momentum * v + g for v, g in zip(velocities, gradients, strict=True)]
            moves = [g + momentum * v for g, v in zip(gradients, velocities, strict=True)]
            common = [before - outer_lr * move for before, move in zip(common, moves, strict=True)]
            for layers in everyone:
                set_values(layers, common)
    return [tensor for layers in everyone for tensor in values(layers)]


@pytest.mark.parametrize(("period", "outer_lr", "momentum"), [(2, 0.7, 0.9), (3, 0.5, 0.0), (1, 1.0, 0.5)])
@pytest.mark.parametrize("interrupted", [False, True])
def test_the_outer_optimizer_follows_what_the_ranks_changed(
    period: int, outer_lr: float, momentum: float, interrupted: bool
) -> None:
    def trained(communicator: allred.Communicator) -> list[torch.Tensor]:
        layers = module()
        if communicator.rank:
            torch.nn.init.constant_(next(layers.parameters()), communicator.rank)  # rank 0's values must win
        stepper = optimizer(layers)
        options = {"outer_lr": outer_lr, "momentum": momentum}
        diloco = allred.DiLoCo(layers, period, communicator, **options)
        for step in range(STEPS):
            if interrupted and step == 5:
                saved, kept = diloco.state_dict(), values(layers)
                diloco = allred.DiLoCo(layers, period, communicator, **options)
                diloco.load_state_dict(saved)
                set_values(layers, kept)
            train_step(layers, stepper, communicator.rank, step)
            assert diloco.step() == ((step + 1) % period == 0)
        return values(layers)

    everyones = allred.run_threads(trained, ranks=RANKS, timeout=20)
    flat = [tensor for tensors in everyones for tensor in tensors]
    torch.testing.assert_close(flat, simulated(period, outer_lr, momentum), rtol=1e-4, atol=1e-5)


def test_with_no_momentum_and_a_rate_of_one_it_is_local_sgd() -> None:
    def trained(communicator: allred.Communicator, is_diloco: bool) -> list[torch.Tensor]:
        layers = module()
        stepper = optimizer(layers)
        if is_diloco:
            outer = allred.DiLoCo(layers, 4, communicator, outer_lr=1.0, momentum=0.0).step
        else:
            outer = allred.LocalSGD(layers, 4, communicator).step
        for step in range(STEPS):
            train_step(layers, stepper, communicator.rank, step)
            outer()
        return values(layers)

    either = [allred.run_threads(lambda comm, kind=kind: trained(comm, kind), ranks=2) for kind in (True, False)]
    torch.testing.assert_close(either[0], either[1], rtol=1e-4, atol=1e-5)


def test_steps_too_small_for_narrow_parameters_add_up() -> None:
    """In bfloat16 1 + 2^-9 is 1; two such steps make 1 + 2^-8, and four 1 + 2^-7, which it knows."""

    def trained(communicator: allred.Communicator) -> float:
        layers = torch.nn.Linear(1, 1, bias=False).bfloat16()
        torch.nn.init.constant_(layers.weight, 1.0)
        diloco = allred.DiLoCo(layers, 1, communicator, outer_lr=2.0**-2, momentum=0.0)
        for _ in range(4):
            with torch.no_grad():
                layers.weight += 2.0**-7
            diloco.step()
        return layers.weight.item()

    assert allred.run_threads(trained, ranks=2, timeout=20) == [1 + 2.0**-7] * 2


def test_arguments_out_of_range() -> None:
    layers = torch.nn.Linear(1, 1)
    with pytest.raises(ValueError, match=r"outer_lr=-1: expected more than 0"):
        allred.DiLoCo(layers, 1, outer_lr=-1)
    with pytest.raises(ValueError, match="momentum=1: expected at least 0 and less than 1"):
        allred.DiLoCo(layers, 1, momentum=1)
