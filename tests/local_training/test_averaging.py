"""average_parameters and LocalSGD against all ranks in one process."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from local_training.simulation import RANKS, STEPS, mean, module, optimizer, set_values, train_step, values

import allred


@pytest.mark.parametrize("buffers", [False, True])
def test_parameters_become_their_mean(buffers: bool) -> None:
    def averaged(communicator: allred.Communicator) -> dict[str, torch.Tensor]:
        layers = module()
        with torch.no_grad():
            for tensor in layers.state_dict().values():
                tensor.add_(communicator.rank)
        allred.average_parameters(layers, communicator, buffers=buffers)
        return layers.state_dict()

    for rank, result in enumerate(allred.run_threads(averaged, ranks=RANKS, timeout=20)):
        for name, tensor in module().state_dict().items():
            is_averaged = "num_batches" not in name and ("running" not in name or buffers)
            added = 1 if is_averaged else rank  # (0 + 1 + 2) / 3
            torch.testing.assert_close(result[name], tensor + added)


def test_ranks_whose_models_differ_hear_of_it() -> None:
    def averages(communicator: allred.Communicator) -> None:
        with pytest.raises(allred.MismatchError, match="rank 0"):
            allred.average_parameters(torch.nn.Linear(2, 2 + communicator.rank), communicator)

    allred.run_threads(averages, ranks=2, timeout=20)


def test_without_a_group_the_error_says_what_to_do() -> None:
    with pytest.raises(ValueError, match="average_parameters: group=None, and there is no default group"):
        allred.average_parameters(torch.nn.Linear(1, 1))
    with pytest.raises(ValueError, match="period=0: expected at least 1"):
        allred.LocalSGD(torch.nn.Linear(1, 1), period=0)


def simulated(period: int) -> list[torch.Tensor]:
    everyone = [module() for _ in range(RANKS)]
    steppers = [optimizer(layers) for layers in everyone]
    for step in range(STEPS):
        for rank in range(RANKS):
            train_step(everyone[rank], steppers[rank], rank, step)
        if (step + 1) % period == 0:
            common = mean([values(layers) for layers in everyone])
            for layers in everyone:
                set_values(layers, common)
    return [tensor for layers in everyone for tensor in values(layers)]


@pytest.mark.parametrize("period", [1, 3, 4])
@pytest.mark.parametrize("interrupted", [False, True])
def test_local_sgd_averages_at_the_end_of_each_period(period: int, interrupted: bool) -> None:
    def trained(communicator: allred.Communicator) -> list[torch.Tensor]:
        layers = module()
        stepper = optimizer(layers)
        local_sgd = allred.LocalSGD(layers, period, communicator)
        for step in range(STEPS):
            if interrupted and step == 5:
                saved = local_sgd.state_dict()
                local_sgd = allred.LocalSGD(layers, period, communicator)
                local_sgd.load_state_dict(saved)
            train_step(layers, stepper, communicator.rank, step)
            assert local_sgd.step() == ((step + 1) % period == 0)
        return values(layers)

    everyones = allred.run_threads(trained, ranks=RANKS, timeout=20)
    flat = [tensor for tensors in everyones for tensor in tensors]
    torch.testing.assert_close(flat, simulated(period), rtol=1e-4, atol=1e-5)
    if STEPS % period == 0:
        for tensors in everyones[1:]:
            assert all(torch.equal(*pair) for pair in zip(tensors, everyones[0], strict=True))


def averages_over_process_groups(rank: int, size: int) -> None:
    import torch.distributed as dist

    layers = torch.nn.Linear(2, 2)
    torch.nn.init.constant_(layers.weight, rank)
    allred.average_parameters(layers)
    assert (layers.weight == (size - 1) / 2).all()
    pair = dist.new_group([1, 2])
    if rank > 0:
        torch.nn.init.constant_(layers.weight, rank)
        allred.DiLoCo(layers, period=1, group=pair)
        assert (layers.weight == 1).all()
        torch.nn.init.constant_(layers.weight, rank)
        allred.LocalSGD(layers, period=1, group=pair).step()
        assert (layers.weight == 1.5).all()


def test_process_groups_of_torch(ranks: Any) -> None:
    ranks.run(3, averages_over_process_groups)
