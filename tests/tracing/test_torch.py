"""Ranks that are processes: torch's groups, and ranks that die."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.distributed as dist
from tracing.timeline import Timeline, check_nesting

import allred
from allred.tracing import document
from allred.tracing.summary import summarize

SLEEP = 0.05


def trains(rank: int, size: int, path: str) -> list[str]:
    model = torch.nn.parallel.DistributedDataParallel(torch.nn.Linear(4, 2))
    pair = dist.new_group([size - 2, size - 1])
    with allred.trace(path) as trace:
        for _ in range(2):
            trace.step()
            if rank == 1:
                time.sleep(SLEEP)
            with trace.span("backward"):
                model(torch.ones(3, 4)).sum().backward()
        dist.all_reduce(torch.ones(5), op=dist.ReduceOp.MAX)
        if rank >= size - 2:
            dist.broadcast(torch.ones(3), src=size - 1, group=pair)
        if rank == 0:
            dist.send(torch.ones(6), dst=1)
        elif rank == 1:
            dist.recv(torch.ones(6), src=0)
    return [file.name for file in trace.files]


def test_one_file_of_all_processes(ranks: Any, tmp_path: Path) -> None:
    path = tmp_path / "trace.json"
    files = ranks.run(3, trains, str(path), backend="allred")
    assert files == [["trace.json"], [], []]
    timeline = Timeline(path)
    check_nesting(timeline)
    assert timeline.ranks == [0, 1, 2]
    assert len({timeline.header(rank)["pid"] for rank in timeline.ranks}) == 3
    for rank in timeline.ranks:
        assert len(timeline.of("step", rank)) == 2
        backward = timeline.of("mark", rank)
        assert [each.name for each in backward] == ["backward"] * 2
        gradients = [each for each in timeline.calls(rank) if each.args["bytes"] == 4 * (4 * 2 + 2)]
        assert [each.name for each in gradients] == ["all_reduce"] * 2
        for span, call in zip(backward, gradients, strict=True):
            assert span.begin <= call.begin < call.end <= span.end
        (largest,) = [each for each in timeline.calls(rank) if each.args.get("op") == "max"]
        assert largest.args["bytes"] == 20


def check_pair(timeline: Timeline) -> None:
    (world,) = {each.args["group"] for each in timeline.calls(0)}
    for rank in (1, 2):
        (broadcast,) = [each for each in timeline.calls(rank) if each.args["group"] != world]
        assert timeline.header(rank)["groups"][broadcast.args["group"]] == [1, 2]
        assert (broadcast.name, broadcast.args["call"], broadcast.args["root"]) == ("broadcast", 1, 2)


def test_a_subgroup_has_the_ranks_of_the_job_and_the_straggler_is_named(ranks: Any, tmp_path: Path) -> None:
    path = tmp_path / "trace.json"
    ranks.run(3, trains, str(path), backend="allred")
    timeline = Timeline(path)
    check_pair(timeline)
    (send,) = timeline.of("message", 0)
    (recv,) = timeline.of("message", 1)
    assert (send.name, send.args["peer"], send.args["bytes"]) == ("send", 1, 24)
    assert (recv.name, recv.args["peer"], recv.args["bytes"]) == ("recv", 0, 24)
    summary = summarize(document.read([path]))
    assert summary.straggler is not None
    assert summary.straggler.rank == 1
    assert summary.straggler.seconds >= 2 * 2 * 0.8 * SLEEP
    assert summary.steps == 2


def dies(rank: int, size: int, path: str) -> list[str]:
    trace = allred.trace(path).start()
    dist.all_reduce(torch.ones(5))
    if rank == 1:
        os.kill(os.getpid(), signal.SIGKILL)
    with pytest.raises(dist.DistBackendError, match="died"):
        dist.barrier()
    return [file.name for file in trace.stop()]


def test_when_a_rank_dies_the_others_write_a_valid_file_each(ranks: Any, tmp_path: Path) -> None:
    files = ranks.run(3, dies, str(tmp_path / "trace.json"), dying=[1], backend="allred")
    assert files == [["trace.rank0.json"], None, ["trace.rank2.json"]]
    assert sorted(each.name for each in tmp_path.iterdir()) == ["trace.rank0.json", "trace.rank2.json"]
    paths = sorted(tmp_path.iterdir())
    for rank, path in zip((0, 2), paths, strict=True):
        timeline = Timeline(path)
        check_nesting(timeline)
        reduced, barrier = timeline.calls(rank)
        assert (reduced.name, barrier.name) == ("all_reduce", "barrier")
        assert barrier.args["failed"] is True
    summary = summarize(document.read(paths))
    assert [each.rank for each in summary.ranks] == [0, 2]
