"""What gradient compression costs: accuracy, bytes on the wire, time, and the loss of a language model in training.

    mpirun -n 2 python bench/compression.py                  into bench/results/compression.json
    mpirun -n 2 python bench/compression.py --steps 20 --output /tmp/compression.json
    mpirun -n 2 python bench/compression.py --add --ways float32 int8 --seeds 4    what the file lacks of these

The model and its data are those of examples/train_lm.py. Each codec trains the same first weights on the same batches,
under stock DistributedDataParallel, from several seeds; real gradients are those of a float32 run in its midst.
Training is chaotic, so runs of float32 whose gradients are off by a thousandth of each element, far less than they
differ from batch to batch, show what a change that means nothing does to the loss. Rank 0 prints the tables that
docs/compression.md shows, and writes the file.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import time
from collections.abc import Callable
from datetime import datetime, timedelta, timezone
from math import ceil
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
import torch.distributed as dist
from torch import nn
from torch.nn.parallel import DistributedDataParallel

import allred
from allred import _core, hooks
from allred.cli import machine

BENCH = Path(__file__).parent
sys.path.append(str(BENCH.parent / "examples"))

from lm_data import load_text, random_windows, share_of  # noqa: E402
from lm_model import GPT, ModelConfig  # noqa: E402
from train_lm import held_out_loss, learning_rate  # noqa: E402

Record = dict[str, Any]
Array = npt.NDArray[np.float32]

NATIVE = ("none", "bfloat16", "float16", "int8", "int8_stochastic")
TOP_K = 0.01
MODEL = ModelConfig(layers=3, width=128, context=128)
WINDOWS = 8  # a rank and step
HIGHEST_RATE = 4e-3
CURVE_STEP = 25  # steps whose losses make a point of the curve
TIMED_COUNTS = (1 << 16, 1 << 20, 1 << 24)
TIMED_CALLS = 15


def disturbed(generator, bucket):  # type: ignore[no-untyped-def]  # torch wants the types themselves or none
    def disturb(done):  # type: ignore[no-untyped-def]
        mean = done.value()[0]
        return mean.addcmul_(mean, torch.randn(mean.shape, generator=generator), value=1e-3)

    return dist.all_reduce(bucket.buffer(), dist.ReduceOp.AVG, async_op=True).get_future().then(disturb)


# State and hook of each way to train; None: what DistributedDataParallel does by itself, in float32.
WAYS: dict[str, Callable[[], tuple[Any, hooks.Hook] | None]] = {
    "float32": lambda: None,
    "float32, elements off by 0.1 %": lambda: (torch.Generator().manual_seed(0), disturbed),
    "bfloat16": lambda: hooks.from_compression("bfloat16"),
    "float16": lambda: hooks.from_compression("float16"),
    "int8": lambda: hooks.from_compression("int8"),
    "int8_stochastic": lambda: hooks.from_compression("int8_stochastic"),
    "int8, error feedback": lambda: hooks.from_compression(hooks.Int8(error_feedback=True)),
    "top-k 1 %": lambda: hooks.from_compression(hooks.TopK(TOP_K)),
    "top-k 1 %, no warm-up": lambda: hooks.from_compression(hooks.TopK(TOP_K, warm_up=0)),
}


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Measure what gradient compression costs, on the ranks of a launcher.")
    parser.add_argument("--steps", type=int, default=300, help="of training a codec (%(default)s)")
    parser.add_argument("--seeds", type=int, default=2, help="each trains once a codec (%(default)s)")
    parser.add_argument("--ways", nargs="+", choices=WAYS, default=list(WAYS), help="to train (all)")
    parser.add_argument("--add", action="store_true", help="to the file's runs, and train only what it lacks")
    parser.add_argument("--output", type=Path, default=BENCH / "results" / "compression.json", help="(%(default)s)")
    return parser.parse_args()


def main() -> None:
    arguments = parse_arguments()
    dist.init_process_group("allred", init_method="allred://", timeout=timedelta(minutes=5))
    torch.set_num_threads(1)
    with allred.init() as comm:
        known = known_report(arguments)
        runs, real = train_all(arguments, {each["name"]: each["runs"] for each in known.get("training", [])})
        report = {
            "date": datetime.now(timezone.utc).isoformat(timespec="seconds"),
            "ranks": comm.size,
            "steps": arguments.steps,
            "gradients": real.size or known["gradients"],
            "allred": machine.describe_allred(),
            "machine": machine.describe(),
            "accuracy": accuracies(comm, real) if real.size else known["accuracy"],
            "times": [times_of(comm, count) for count in TIMED_COUNTS],
            "top_k_bytes_saved": top_k_bytes_saved(comm.size, arguments.steps),
            "training": changes(runs),
        }
        if comm.rank == 0:
            arguments.output.write_text(json.dumps(report, indent=1) + "\n")
            print(tables(report), flush=True)
    dist.destroy_process_group()


# ---- training ----


Runs = dict[str, list[Record]]  # of each way, a record a seed


def known_report(arguments: argparse.Namespace) -> Record:
    """The file that is to be added to, if there is one."""
    if not arguments.add or not arguments.output.exists():
        return {}
    report: Record = json.loads(arguments.output.read_text())
    expected = {"ranks": dist.get_world_size(), "steps": arguments.steps}
    found = {key: report[key] for key in expected}
    if found != expected:
        raise SystemExit(f"{arguments.output} has runs of {found}, expected {expected}")
    return report


def train_all(arguments: argparse.Namespace, runs: Runs) -> tuple[Runs, Array]:
    """The runs that there are now, and this rank's own gradients in the midst of the first that is new, if any is."""
    gradients = np.empty(0, np.float32)
    for name in arguments.ways:
        own_runs = runs.setdefault(name, [])
        for seed in range(arguments.seeds):
            if any(run["seed"] == seed for run in own_runs):
                continue
            run, own = train(WAYS[name](), arguments.steps, seed)
            own_runs.append({"seed": seed, "commit": machine.describe_allred()["commit"], **run})
            gradients = gradients if gradients.size else own
            if dist.get_rank() == 0:
                print(f"{name}, seed {seed}: {run['held_out_loss']:.4f}", flush=True)
    return runs, gradients


def changes(runs: Runs) -> list[Record]:
    """Each run beside float32's of the same seed."""
    plain = {run["seed"]: run for run in runs["float32"]}
    return [
        {
            "name": name,
            "held_out_change": [run["held_out_loss"] / plain[run["seed"]]["held_out_loss"] - 1 for run in runs[name]],
            "curve_change": [last_third(run) / last_third(plain[run["seed"]]) - 1 for run in runs[name]],
            "runs": runs[name],
        }
        for name in WAYS
        if name in runs
    ]


def last_third(run: Record) -> float:
    """Mean of the training loss over the last third of the steps."""
    curve: list[float] = run["curve"]
    return statistics.mean(curve[len(curve) * 2 // 3 :])


def train(way: tuple[Any, hooks.Hook] | None, steps: int, seed: int) -> tuple[Record, Array]:
    train_text, held_out_text = load_text()
    text = share_of(train_text, dist.get_rank(), dist.get_world_size())
    torch.manual_seed(seed)
    model = GPT(MODEL)
    parallel = DistributedDataParallel(model)
    if way is not None:
        parallel.register_comm_hook(*way)
    optimiser = torch.optim.AdamW(model.parameters(), betas=(0.9, 0.95), weight_decay=0.1, fused=True)
    losses = torch.zeros(steps)
    own = np.empty(0, np.float32)
    for step in range(steps):
        for group in optimiser.param_groups:
            group["lr"] = learning_rate(step, steps, HIGHEST_RATE)
        windows = random_windows(text, WINDOWS, MODEL.context, (seed, step, dist.get_rank()))
        if step == steps // 2:
            own = gradients_of(model, parallel, windows)
        loss = parallel(*windows)
        losses[step] = loss.item()
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimiser.step()
        optimiser.zero_grad()
    dist.all_reduce(losses, dist.ReduceOp.AVG)
    curve = [round(float(points.mean()), 4) for points in losses.split(CURVE_STEP)]
    return {"held_out_loss": held_out_loss(model, held_out_text, MODEL.context), "curve": curve}, own


def gradients_of(
    model: nn.Module, parallel: DistributedDataParallel, windows: tuple[torch.Tensor, torch.Tensor]
) -> Array:
    """This rank's own, before they are averaged; the model is left as it was."""
    with parallel.no_sync():
        parallel(*windows).backward()
    flat = torch.cat([parameter.grad.reshape(-1) for parameter in model.parameters() if parameter.grad is not None])
    model.zero_grad()
    return flat.numpy()


# ---- one call ----


def accuracies(comm: allred.Communicator, real: Array) -> dict[str, list[Record]]:
    normal = np.random.default_rng(comm.rank).standard_normal(real.size, dtype=np.float32)
    return {name: accuracy_of(comm, values) for name, values in {"normal": normal, "real": real}.items()}


def accuracy_of(comm: allred.Communicator, values: Array) -> list[Record]:
    """How far the sum over the ranks is from that in float64, as a part of its norm; and what a rank sends."""
    exact = values.astype(np.float64)
    comm.all_reduce(exact)
    plain_bytes = sent_bytes(comm.size, values.size, "none")
    records = []
    for codec in (*NATIVE, "top-k 1 %"):
        summed = values.copy()
        if codec in NATIVE:
            comm.all_reduce(summed, compression=codec)
        else:
            comm.all_reduce_top_k(summed, ceil(TOP_K * values.size))
        sent = sent_bytes(comm.size, values.size, codec)
        records.append(
            {
                "name": codec,
                "relative_error": float(np.linalg.norm(summed - exact) / np.linalg.norm(exact)),
                "largest_error": float(np.abs(summed - exact).max() / np.abs(exact).max()),
                "sent_bytes": sent,
                "bytes_saved": plain_bytes / sent,
            }
        )
    return records


def sent_bytes(ranks: int, count: int, codec: str) -> float:
    """Of a rank: its part of a two-shot exchange, or its pairs to each of the others."""
    if codec not in NATIVE:
        return (ranks - 1) * 8 * ceil(TOP_K * count)
    data = 4 * count if codec == "none" else _core.compressed_bytes(codec, count)
    return 2 * (ranks - 1) / ranks * data


def top_k_bytes_saved(ranks: int, steps: int) -> float:
    """Over the whole of a training, its warm-up included, as a part of float32's."""
    state = hooks.TopK(TOP_K)
    sent = 0.0
    for state.steps in range(steps):
        pairs = (ranks - 1) * 8 * state.share()
        sent += min(pairs, 2 * (ranks - 1) / ranks * 4)
    return steps * 2 * (ranks - 1) / ranks * 4 / sent


def times_of(comm: allred.Communicator, count: int) -> Record:
    """Median time of a call on the slowest rank; the codecs take turns."""
    values = np.random.default_rng(comm.rank).standard_normal(count, dtype=np.float32)
    array = values.copy()
    calls: dict[str, Callable[[], None]] = {
        codec: lambda codec=codec: comm.all_reduce(array, compression=codec)  # type: ignore[misc]
        for codec in NATIVE
    }
    calls["top-k 1 %"] = lambda: comm.all_reduce_top_k(array, ceil(TOP_K * count))
    seconds = np.zeros((len(calls), TIMED_CALLS))
    for turn in range(TIMED_CALLS + 1):
        for idx, call in enumerate(calls.values()):
            array[:] = values
            comm.barrier()
            begin = time.perf_counter()
            call()
            seconds[idx, turn - 1] = time.perf_counter() - begin  # the first turn warms up, and is written over
    comm.all_reduce(seconds, "max")
    times = {name: statistics.median(row) * 1e6 for name, row in zip(calls, seconds.tolist(), strict=True)}
    return {"count": count, "time_us": {name: float(f"{each:.4g}") for name, each in times.items()}}


# ---- tables ----


def spread(changes: list[float]) -> str:
    """Mean, least and most."""
    return f"{statistics.mean(changes):+.1%} ({min(changes):+.1%} to {max(changes):+.1%})"


def tables(report: Record) -> str:
    """In Markdown."""
    lines = ["| codec | bytes, of float32's | error, normal | error, real gradients |", "|---|---|---|---|"]
    for normal, real in zip(report["accuracy"]["normal"], report["accuracy"]["real"], strict=True):
        errors = f"{normal['relative_error']:.2g} | {real['relative_error']:.2g}"
        lines.append(f"| {normal['name']} | 1/{normal['bytes_saved']:.2f} | {errors} |")
    names = list(report["times"][0]["time_us"])
    lines += ["", "| elements | " + " | ".join(names) + " |", "|---" * (len(names) + 1) + "|"]
    for row in report["times"]:
        lines.append(f"| {row['count']:,} | " + " | ".join(f"{row['time_us'][name]:,.0f}" for name in names) + " |")
    saved = report["top_k_bytes_saved"]
    lines += ["", f"top-k in training, with its warm-up: 1/{saved:.1f} of the bytes"]
    lines += [
        "",
        "| training | runs | held-out loss | of float32's | training loss, last third |",
        "|---|---|---|---|---|",
    ]
    for each in report["training"]:
        loss = statistics.mean(run["held_out_loss"] for run in each["runs"])
        losses = f"{loss:.3f} | {spread(each['held_out_change'])} | {spread(each['curve_change'])}"
        lines.append(f"| {each['name']} | {len(each['runs'])} | {losses} |")
    return "\n".join(lines)


if __name__ == "__main__":
    main()
