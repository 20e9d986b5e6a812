"""Time of a training step: torch's DistributedDataParallel on Gloo and on allred, and allred's own.

    mpirun -n 2 python bench/training.py                     into bench/results/training_2_ranks.json
    mpirun -n 1 python bench/training.py                     what one rank pays, training_1_ranks.json
    mpirun -n 2 python bench/training.py --models mlp-10M --rounds 5 --output /tmp/training.json

Each model is trained in all ways by turns, a few steps a turn, from the same weights on batches of the same shape. The
way "alone" averages nothing: what another way takes beyond it is communication that the backward pass did not hide. A
step's time is that of the slowest rank; medians over all steps. Rank 0 prints a table and writes the file.

Freed gradients that malloc gives back to the system are faulted in again, page by page, on whichever way is then at
work: a third of a step in some runs, none in others. MALLOC_MMAP_THRESHOLD_=4000000000
MALLOC_TRIM_THRESHOLD_=8000000000 in the environment keeps them, for all ways alike.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import time
from collections.abc import Callable
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist
from torch import nn
from torch.nn.parallel import DistributedDataParallel as TorchDDP

import allred
from allred.cli import machine

BENCH = Path(__file__).parent
sys.path.append(str(BENCH.parent / "examples"))

from lm_model import GPT, ModelConfig  # noqa: E402

BATCH = 4  # small: communication is then most of what can be saved
MLP_FEATURES = 512
WINDOW = 64  # tokens of a sample
WARM_UP = 3  # steps: allred's own and torch's build their buckets anew after the first
TURN = 4  # steps

Step = Callable[[], None]


def mlp(width: int, layers: int) -> nn.Module:
    hidden = [layer for _ in range(layers) for layer in (nn.Linear(width, width), nn.ReLU())]
    return nn.Sequential(nn.Linear(MLP_FEATURES, width), nn.ReLU(), *hidden, nn.Linear(width, 10))


MODELS: dict[str, Callable[[], nn.Module]] = {
    "mlp-1M": lambda: mlp(512, 3),
    "mlp-10M": lambda: mlp(1408, 5),
    "mlp-50M": lambda: mlp(2816, 6),
    "gpt-1M": lambda: GPT(ModelConfig(layers=5, width=128, context=WINDOW)),
    "gpt-10M": lambda: GPT(ModelConfig(layers=5, width=416, context=WINDOW)),
    "gpt-50M": lambda: GPT(ModelConfig(layers=7, width=768, context=WINDOW)),
}


def main() -> None:
    arguments = parse_arguments()
    dist.init_process_group("allred", init_method="allred://", timeout=timedelta(minutes=5))
    torch.set_num_threads(1)
    gloo = dist.new_group(backend="gloo")
    rows = [measure(name, gloo, arguments) for name in arguments.models]
    if dist.get_rank() == 0:
        report = {
            "date": datetime.now(timezone.utc).isoformat(timespec="seconds"),
            "ranks": dist.get_world_size(),
            "batch": BATCH,
            "bucket_cap_mb": arguments.bucket_mb,
            "allred": machine.describe_allred(),
            "machine": machine.describe(),
            "models": rows,
        }
        output = arguments.output or BENCH / "results" / f"training_{dist.get_world_size()}_ranks.json"
        output.write_text(json.dumps(report, indent=1) + "\n")
        print(table(rows), flush=True)
    dist.destroy_process_group()


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Time training steps, on the ranks of a launcher.")
    parser.add_argument("--models", nargs="+", choices=MODELS, default=list(MODELS), help="(all)")
    parser.add_argument("--rounds", type=int, default=12, help="turns of each way (%(default)s)")
    parser.add_argument("--bucket-mb", type=float, help="bucket_cap_mb of all ways (each one's own default)")
    parser.add_argument("--output", type=Path, help="(bench/results/training_N_ranks.json)")
    return parser.parse_args()


def measure(name: str, gloo: dist.ProcessGroup, arguments: argparse.Namespace) -> dict[str, Any]:
    options = {} if arguments.bucket_mb is None else {"bucket_cap_mb": arguments.bucket_mb}
    wrappers: dict[str, Callable[[nn.Module], nn.Module]] = {
        "alone": lambda module: module,
        "torch on gloo": lambda module: TorchDDP(module, process_group=gloo, **options),
        "torch on allred": lambda module: TorchDDP(module, **options),
        "allred": lambda module: allred.DistributedDataParallel(module, **options),
    }
    steps, num_parameters = {}, 0
    for way, wrap in wrappers.items():
        torch.manual_seed(0)
        module = MODELS[name]()
        num_parameters = sum(parameter.numel() for parameter in module.parameters())
        steps[way] = make_step(wrap(module), name)
        for _ in range(WARM_UP):
            steps[way]()
    times: dict[str, list[float]] = {way: [] for way in steps}
    ways = list(steps)
    for number in range(arguments.rounds):
        first = number % len(ways)
        for way in ways[first:] + ways[:first]:
            times[way] += take_turn(steps[way])
    return report_on(name, num_parameters, times)


def make_step(module: nn.Module, name: str) -> Step:
    optimiser = torch.optim.SGD(module.parameters(), lr=1e-3)
    generator = torch.Generator().manual_seed(dist.get_rank())
    if name.startswith("mlp"):
        inputs = torch.randn(BATCH, MLP_FEATURES, generator=generator)
        labels = torch.randint(10, (BATCH,), generator=generator)
    else:
        inputs = torch.randint(256, (BATCH, WINDOW), generator=generator)

    def loss() -> torch.Tensor:
        if name.startswith("mlp"):
            return nn.functional.cross_entropy(module(inputs), labels)
        found: torch.Tensor = module(inputs, inputs.roll(-1, 1))
        return found

    def step() -> None:
        optimiser.zero_grad()
        loss().backward()
        optimiser.step()

    return step


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


def report_on(name: str, num_parameters: int, times: dict[str, list[float]]) -> dict[str, Any]:
    medians = {way: statistics.median(seconds) for way, seconds in times.items()}
    exposed = {way: medians[way] - medians["alone"] for way in medians}
    row = {
        "name": name,
        "parameters": num_parameters,
        "step_ms": {way: round(1e3 * seconds, 3) for way, seconds in medians.items()},
        "not_hidden_ms": {way: round(1e3 * seconds, 3) for way, seconds in exposed.items()},
        "of_gloo": round(medians["allred"] / medians["torch on gloo"], 3),
        "of_torch_on_allred": round(medians["allred"] / medians["torch on allred"], 3),
        "not_hidden_of_gloo": round(exposed["allred"] / exposed["torch on gloo"], 3),
        "beyond_alone": round(exposed["allred"] / medians["alone"], 4),
        "all_ms": {way: [round(1e3 * each, 3) for each in seconds] for way, seconds in times.items()},
    }
    if dist.get_rank() == 0:
        print(name, row["step_ms"], flush=True)
    return row


def table(rows: list[dict[str, Any]]) -> str:
    """In Markdown; milliseconds."""
    lines = [
        "| model | parameters | alone | torch on Gloo | torch on allred | allred | of Gloo's | not hidden, of it |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for row in rows:
        steps = " | ".join(f"{each:.1f}" for each in row["step_ms"].values())
        name, count = row["name"].split("-")[0], f"{row['parameters'] / 1e6:.1f} M"
        lines.append(f"| {name} | {count} | {steps} | {row['of_gloo']:.2f} | {row['not_hidden_of_gloo']:.2f} |")
    return "\n".join(lines)


if __name__ == "__main__":
    main()
