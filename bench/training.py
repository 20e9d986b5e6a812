"""Time of a training step: torch's DistributedDataParallel on Gloo and on allred, and allred's own.

    mpirun -n 2 python bench/training.py                     into bench/results/training_2_ranks.json
    mpirun -n 1 python bench/training.py                     what one rank pays, training_1_ranks.json
    mpirun -n 2 python bench/training.py --models mlp-10M --rounds 5 --output /tmp/training.json

Each model is trained in all ways by turns, a few steps a turn, from the same weights on batches of the same shape. The
way "alone" averages nothing. A step's time is that of the slowest rank; medians over all steps. All this is done
several times, from models that are made anew and so lie elsewhere in memory, which alone moves a step by a percent; the
lowest and the highest of these times' ratios stand beside each ratio. Then a few steps more are traced, for what of
the communication is not hidden: training_trace.py has the definition.

Rank 0 prints a table and writes the file. Rows of other models that are in it stay, if they were measured on the same
machine, so that a long measurement can be made in pieces; each says of which date and commit it is.

Freed gradients that malloc gives back to the system are faulted in again, page by page, on whichever way is then at
work: a third of a step in some runs, none in others. MALLOC_MMAP_THRESHOLD_=4000000000
MALLOC_TRIM_THRESHOLD_=8000000000 in the environment keeps them, for all ways alike.
"""

from __future__ import annotations

import argparse
import gc
import json
import statistics
import time
from collections.abc import Callable
from datetime import datetime, timedelta, timezone
from itertools import chain
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist
from torch import nn
from torch.nn.parallel import DistributedDataParallel as TorchDDP
from training_trace import Tracer
from training_workloads import WORKLOADS, Workload

import allred
from allred.cli import machine

BENCH = Path(__file__).parent
WARM_UP = 3  # steps: allred's own and torch's build their buckets anew after the first
TURN = 4  # steps

Step = Callable[[], None]
Wrapper = Callable[[nn.Module], nn.Module]
Times = dict[str, list[list[float]]]  # seconds of each step, by way and build


def main() -> None:
    arguments = parse_arguments()
    dist.init_process_group("allred", init_method="allred://", timeout=timedelta(minutes=5))
    torch.set_num_threads(1)
    report = describe(arguments)
    output = arguments.output or BENCH / "results" / f"training_{dist.get_world_size()}_ranks.json"
    others = rows_to_keep(output, report, arguments.models) if dist.get_rank() == 0 else []
    gloo = dist.new_group(backend="gloo")
    rows = [measure(name, gloo, arguments) for name in arguments.models]
    if dist.get_rank() == 0:
        report["models"] = sorted(others + rows, key=lambda row: list(WORKLOADS).index(row["name"]))
        output.write_text(json.dumps(report, indent=1) + "\n")
        print(table(report["models"]), flush=True)
    dist.destroy_process_group()


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Time training steps, on the ranks of a launcher.")
    parser.add_argument("--models", nargs="+", choices=WORKLOADS, default=list(WORKLOADS), help="(all)")
    parser.add_argument("--builds", type=int, default=3, help="how often models are made anew (%(default)s)")
    parser.add_argument("--rounds", type=int, default=4, help="turns of each way in a build (%(default)s)")
    parser.add_argument("--bucket-mb", type=float, help="bucket_cap_mb of all ways (each one's own default)")
    parser.add_argument("--output", type=Path, help="(bench/results/training_N_ranks.json)")
    return parser.parse_args()


def describe(arguments: argparse.Namespace) -> dict[str, Any]:
    return {
        "ranks": dist.get_world_size(),
        "bucket_cap_mb": arguments.bucket_mb,
        "machine": machine.describe(),
    }


def rows_to_keep(path: Path, report: dict[str, Any], models: list[str]) -> list[dict[str, Any]]:
    """Of the file, where they were measured as these are going to be. Each has its own date and commit."""
    if not path.exists():
        return []
    before = json.loads(path.read_text())
    if any(before.get(name) != report[name] for name in ("ranks", "bucket_cap_mb", "machine")):
        return []
    return [row for row in before["models"] if row["name"] not in models]


# ---- a model ----


def measure(name: str, gloo: dist.ProcessGroup, arguments: argparse.Namespace) -> dict[str, Any]:
    options = {} if arguments.bucket_mb is None else {"bucket_cap_mb": arguments.bucket_mb}
    wrappers: dict[str, Wrapper] = {
        "alone": lambda module: module,
        "torch on gloo": lambda module: TorchDDP(module, process_group=gloo, **options),
        "torch on allred": lambda module: TorchDDP(module, **options),
        "allred": lambda module: allred.DistributedDataParallel(module, **options),
    }
    times: Times = {way: [] for way in wrappers}
    for _ in range(arguments.builds):
        for way, seconds in time_a_build(WORKLOADS[name], wrappers, arguments.rounds).items():
            times[way].append(seconds)
        gc.collect()  # wrapped models are in cycles
    row = report_on(name, times)
    if dist.get_world_size() > 1:
        row["backward"] = trace_a_build(WORKLOADS[name], wrappers, gloo, arguments.rounds)
    if dist.get_rank() == 0:
        print(name, row["step_ms"], flush=True)
    return row


def time_a_build(workload: Workload, wrappers: dict[str, Wrapper], rounds: int) -> dict[str, list[float]]:
    steps = {way: make_step(workload, wrap) for way, wrap in wrappers.items()}
    for step in steps.values():
        warm_up(step)
    times: dict[str, list[float]] = {way: [] for way in steps}
    for way in turns(list(steps), rounds):
        times[way] += take_turn(steps[way])
    return times


def trace_a_build(
    workload: Workload, wrappers: dict[str, Wrapper], gloo: dist.ProcessGroup, rounds: int
) -> dict[str, Any]:
    tracer = Tracer()

    def watched(module: nn.Module) -> nn.Module:
        wrapped: TorchDDP = wrappers["torch on gloo"](module)  # type: ignore[assignment]
        tracer.watch_buckets(wrapped, gloo)
        return wrapped

    ways = {**wrappers, "torch on gloo, by hook": watched}
    del ways["torch on allred"]
    steps = {}
    for way, wrap in ways.items():
        module = wrap(make(workload))
        steps[way] = tracer.step_of(way, module, workload.loss_of(module))
        warm_up(steps[way])
    return tracer.run(lambda: [take_turn(steps[way]) for way in turns(list(steps), rounds)])


def make(workload: Workload) -> nn.Module:
    torch.manual_seed(0)
    return workload.make()


def make_step(workload: Workload, wrap: Wrapper) -> Step:
    module = wrap(make(workload))
    optimiser = torch.optim.SGD(module.parameters(), lr=1e-3)
    loss = workload.loss_of(module)

    def step() -> None:
        optimiser.zero_grad()
        loss().backward()
        optimiser.step()

    return step


def warm_up(step: Step) -> None:
    for _ in range(WARM_UP):
        step()


def turns(ways: list[str], rounds: int) -> list[str]:
    """Each round begins with another way."""
    return [ways[(first + place) % len(ways)] for first in range(rounds) for place in range(len(ways))]


def take_turn(step: Step) -> list[float]:
    """Seconds of each of some steps, of the slowest rank."""
    step()  # out of the other ways' caches
    seconds = torch.zeros(TURN, dtype=torch.float64)
    for idx in range(TURN):
        dist.barrier()
        begin = time.perf_counter()
        step()
        seconds[idx] = time.perf_counter() - begin
    dist.all_reduce(seconds, dist.ReduceOp.MAX)
    found: list[float] = seconds.tolist()
    return found


# ---- the report ----


def report_on(name: str, times: Times) -> dict[str, Any]:
    workload = WORKLOADS[name]
    medians = {way: median(builds) for way, builds in times.items()}
    return {
        "name": name,
        "date": datetime.now(timezone.utc).isoformat(timespec="seconds"),
        "allred": machine.describe_allred(),
        "batch": workload.batch,
        "parameters": sum(parameter.numel() for parameter in workload.make().parameters()),
        "step_ms": {way: round(1e3 * seconds, 3) for way, seconds in medians.items()},
        "of_gloo": ratio(times, "allred", "torch on gloo"),
        "of_torch_on_allred": ratio(times, "allred", "torch on allred"),
        "of_alone": ratio(times, "allred", "alone"),
        "all_ms": {
            way: [[round(1e3 * each, 3) for each in steps] for steps in builds] for way, builds in times.items()
        },
    }


def ratio(times: Times, way: str, other: str) -> dict[str, float]:
    """Of the medians of a build: the median of all builds, the lowest and the highest."""
    builds = [statistics.median(a) / statistics.median(b) for a, b in zip(times[way], times[other], strict=True)]
    figures = {"median": statistics.median(builds), "lowest": min(builds), "highest": max(builds)}
    return {name: round(value, 4) for name, value in figures.items()}


def median(builds: list[list[float]]) -> float:
    return statistics.median(chain.from_iterable(builds))


def table(rows: list[dict[str, Any]]) -> str:
    """In Markdown; milliseconds."""
    titles = [
        "model",
        "parameters",
        "batch",
        "alone",
        "torch on Gloo",
        "torch on allred",
        "allred",
        "of Gloo's",
        "of alone",
    ]
    titles += ["not hidden, Gloo", "not hidden, allred", "of Gloo's"] if "backward" in rows[0] else []
    lines = ["| " + " | ".join(titles) + " |", "|---" * len(titles) + "|"]
    for row in rows:
        cells = [row["name"].split("-")[0], f"{row['parameters'] / 1e6:.1f} M", row["batch"]]
        cells += [f"{each:.1f}" for each in row["step_ms"].values()]
        cells += [with_spread(row["of_gloo"], 2), with_spread(row["of_alone"], 3)]
        if "backward" in row:
            theirs, own = (row["backward"][way]["not_hidden"] for way in ("torch on gloo, by hook", "allred"))
            cells += [f"{theirs:.2f}", f"{own:.2f}", f"{own / theirs:.2f}"]
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def with_spread(figure: dict[str, float], digits: int) -> str:
    return f"{figure['median']:.{digits}f} ({figure['lowest']:.{digits}f}-{figure['highest']:.{digits}f})"


if __name__ == "__main__":
    main()
