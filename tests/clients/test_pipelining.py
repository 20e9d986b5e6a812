"""torch.distributed.pipelining: the stages of a model on one rank each compute what the whole does."""

from __future__ import annotations

from typing import Any

import pytest
import torch
import torch.distributed as dist
from torch.distributed.pipelining import (
    PipelineStage,
    Schedule1F1B,
    ScheduleGPipe,
    ScheduleInterleaved1F1B,
    ScheduleInterleavedZeroBubble,
    ScheduleZBVZeroBubble,
)
from torch.nn.functional import mse_loss

WIDTH, SAMPLES, MICROBATCHES = 16, 24, 6
CPU = torch.device("cpu")


def layers(count: int) -> list[torch.nn.Module]:
    torch.manual_seed(0)
    return [torch.nn.Sequential(torch.nn.Linear(WIDTH, WIDTH), torch.nn.Tanh()).double() for _ in range(count)]


def batch() -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    inputs = torch.randn(SAMPLES, WIDTH, generator=generator, dtype=torch.float64)
    return inputs, inputs.sin()


def stages_of(rank: int, size: int, schedule: type) -> list[int]:
    """Those of a rank that has two: every size-th stage, or in the shape of a V, the last being where the first is."""
    second = 2 * size - 1 - rank if schedule is ScheduleZBVZeroBubble else size + rank
    return [rank, second]


def step(schedule: Any, first: bool, last: bool) -> tuple[torch.Tensor | None, list[torch.Tensor]]:
    inputs, targets = batch()
    losses: list[torch.Tensor] = []
    output = schedule.step(*([inputs] if first else []), **({"target": targets, "losses": losses} if last else {}))
    return (output if last else None), losses


def check(
    mine: dict[int, torch.nn.Module], count: int, output: torch.Tensor | None, losses: list[torch.Tensor]
) -> None:
    """Against the stages one after the other in this process."""
    inputs, targets = batch()
    whole = torch.nn.Sequential(*layers(count))
    expected = whole(inputs)
    loss = mse_loss(expected, targets)
    loss.backward()
    if output is not None:
        torch.testing.assert_close(output, expected)
        torch.testing.assert_close(torch.stack(losses).mean(), loss)
    for index, module in mine.items():
        for actual, wanted in zip(module.parameters(), whole[index].parameters(), strict=True):
            torch.testing.assert_close(actual.grad, wanted.grad)


def runs_one_stage(rank: int, size: int, schedule: type) -> None:
    module = layers(size)[rank]
    stage = PipelineStage(module, rank, size, CPU)
    last = rank == size - 1
    output, losses = step(schedule(stage, MICROBATCHES, loss_fn=mse_loss), rank == 0, last)
    check({rank: module}, size, output, losses)


@pytest.mark.parametrize("schedule", [ScheduleGPipe, Schedule1F1B], ids=lambda schedule: schedule.__name__)
@pytest.mark.parametrize("size", [2, 3])
def test_a_stage_a_rank(ranks: Any, size: int, schedule: type) -> None:
    ranks.run(size, runs_one_stage, schedule)


def runs_two_stages(rank: int, size: int, schedule: type) -> None:
    everyones = layers(2 * size)
    mine = {index: everyones[index] for index in stages_of(rank, size, schedule)}
    stages = [PipelineStage(module, index, 2 * size, CPU) for index, module in mine.items()]
    output, losses = step(schedule(stages, MICROBATCHES, loss_fn=mse_loss), 0 in mine, 2 * size - 1 in mine)
    check(mine, 2 * size, output, losses)


@pytest.mark.parametrize(
    "schedule",
    [ScheduleInterleaved1F1B, ScheduleInterleavedZeroBubble, ScheduleZBVZeroBubble],
    ids=lambda schedule: schedule.__name__,
)
@pytest.mark.parametrize("size", [2, 3])
def test_two_stages_a_rank(ranks: Any, size: int, schedule: type) -> None:
    ranks.run(size, runs_two_stages, schedule)


def runs_beside_replicas(rank: int, size: int) -> None:
    """Ranks 0 and 1 hold the first stage, 2 and 3 the second: point-to-point calls in two groups at a time."""
    mesh = dist.init_device_mesh("cpu", (2, 2), mesh_dim_names=("stage", "replica"))
    index = mesh.get_local_rank("stage")
    module = layers(2)[index]
    stage = PipelineStage(module, index, 2, CPU, group=mesh.get_group("stage"))
    output, losses = step(Schedule1F1B(stage, MICROBATCHES, loss_fn=mse_loss), index == 0, index == 1)
    for parameter in module.parameters():
        dist.all_reduce(parameter.grad, dist.ReduceOp.AVG, group=mesh.get_group("replica"))
    check({index: module}, 2, output, losses)


def test_with_data_parallelism(ranks: Any) -> None:
    ranks.run(4, runs_beside_replicas)
