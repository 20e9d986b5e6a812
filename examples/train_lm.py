"""Trains a byte-level GPT on the source of the Python standard library, with DistributedDataParallel.

    mpirun -n 2 python examples/train_lm.py
    torchrun --nproc-per-node 2 examples/train_lm.py
    python examples/train_lm.py                           alone: one rank
    ... --backend gloo                                    the same, to compare
    ... --resume --steps 1200                             goes on from the checkpoint

The exit status is 0 only if the held-out loss fell (below the target, in a run of full length), all ranks ended with
the same parameters, and the checkpoint was saved and read back.
"""

from __future__ import annotations

import argparse
import math
import os
import socket
import sys
from dataclasses import asdict
from datetime import timedelta
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist
from lm_checkpoint import checksum, load, save
from lm_data import even_windows, load_text, random_windows, share_of, windows
from lm_model import GPT, ModelConfig
from lm_progress import ExposedWait, TrainingProgress
from torch import Tensor, nn

import allred

FULL_RUN_STEPS = 1000
FULL_RUN_TARGET = 2.8  # nats a byte
WARM_UP_STEPS = 30
SAVE_EVERY = 100
HELD_OUT_WINDOWS = 256


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Train a byte-level GPT on the Python standard library with DDP.")
    add = parser.add_argument
    add("--backend", default="allred", help="torch.distributed backend (default: %(default)s)")
    add("--steps", type=int, default=FULL_RUN_STEPS, help="steps in total, resumed ones included (%(default)s)")
    add("--batch", type=int, default=8, help="windows a rank and step (%(default)s)")
    add("--context", type=int, default=128, help="bytes a window (%(default)s)")
    add("--layers", type=int, default=3, help="transformer blocks (%(default)s)")
    add("--width", type=int, default=128, help="width of the model (%(default)s)")
    add("--lr", type=float, default=4e-3, help="highest learning rate (%(default)s)")
    add("--seed", type=int, default=0, help="of the first weights and of the batches (%(default)s)")
    add("--checkpoint", type=Path, default=Path("train_lm.pt"), help="file to save to (%(default)s)")
    add("--resume", action="store_true", help="go on from --checkpoint, with the model and the seed saved there")
    add("--target-loss", type=float, help=f"held-out loss to end below ({FULL_RUN_TARGET} in a run of full length)")
    add("--timeout", type=float, default=60, help="seconds a rank waits for another (%(default)s)")
    arguments = parser.parse_args()
    if arguments.target_loss is None:
        arguments.target_loss = FULL_RUN_TARGET if arguments.steps >= FULL_RUN_STEPS else math.inf
    return arguments


def main() -> int:
    arguments = parse_arguments()
    dist.init_process_group(arguments.backend, init_method="allred://", timeout=timedelta(seconds=arguments.timeout))
    share_cores()
    passed = Training(arguments).run()
    dist.barrier()  # rank 0 has printed its summary before any rank fails: mpirun then ends them all
    dist.destroy_process_group()
    return 0 if passed else 1


def share_cores() -> None:
    """Divides this rank's cores among the ranks that may use the same ones."""
    mine = (socket.gethostname(), sorted(os.sched_getaffinity(0)))
    everyone: list[Any] = [None] * dist.get_world_size()
    dist.all_gather_object(everyone, mine)
    torch.set_num_threads(max(1, len(mine[1]) // everyone.count(mine)))


def learning_rate(step: int, steps: int, highest: float) -> float:
    """Linear warm-up, then half a cosine down to a tenth."""
    warm_up = min(1.0, (step + 1) / WARM_UP_STEPS)
    return highest * warm_up * (0.55 + 0.45 * math.cos(math.pi * step / steps))


@torch.inference_mode()
def held_out_loss(model: nn.Module, text: Tensor, context: int) -> float:
    """Mean loss over windows that lie evenly over the text; each rank computes its share of them."""
    starts = even_windows(text, HELD_OUT_WINDOWS, context)[dist.get_rank() :: dist.get_world_size()]
    total = torch.zeros((), dtype=torch.float64)
    for some in starts.split(32):
        total += model(*windows(text, some, context)) * len(some)
    dist.all_reduce(total)
    return total.item() / HELD_OUT_WINDOWS


def all_ranks(passed: bool) -> bool:
    """Whether it passed on every rank; every rank learns the same."""
    least = torch.tensor(int(passed))
    dist.all_reduce(least, op=dist.ReduceOp.MIN)
    return bool(least.item())


def same_on_all_ranks(digest: bytes) -> bool:
    mine = torch.frombuffer(bytearray(digest), dtype=torch.uint8)
    everyone = [torch.empty_like(mine) for _ in range(dist.get_world_size())]
    dist.all_gather(everyone, mine)
    return all(torch.equal(mine, other) for other in everyone)


class Training:
    """One run on one rank: fresh or resumed model, its optimiser, and the text."""

    def __init__(self, arguments: argparse.Namespace) -> None:
        self.arguments = arguments
        self.rank, self.size = dist.get_rank(), dist.get_world_size()
        self.train_text, self.held_out_text = load_text()
        saved = load(arguments.checkpoint) if arguments.resume else None
        self.config = ModelConfig(**saved["config"]) if saved else self._config_asked_for()
        self.seed: int = saved["seed"] if saved else arguments.seed
        self.step: int = saved["step"] if saved else 0
        torch.manual_seed(self.seed)
        self.model = GPT(self.config)
        own = dist.get_backend() == "allred"
        parallel = allred.DistributedDataParallel if own else nn.parallel.DistributedDataParallel
        self.ddp = parallel(self.model)
        self.optimiser = torch.optim.AdamW(self.model.parameters(), betas=(0.9, 0.95), weight_decay=0.1, fused=True)
        if saved:
            self.model.load_state_dict(saved["model"])
            self.optimiser.load_state_dict(saved["optimiser"])
        self.first_loss: float = saved["first_loss"] if saved else self._held_out_loss()

    def run(self) -> bool:
        """Trains, saves and reports; whether all went well."""
        if self.rank == 0:
            self._introduce()
        progress = self._train()
        return self._summarise(progress, self._held_out_loss(), self._save())

    def _config_asked_for(self) -> ModelConfig:
        return ModelConfig(self.arguments.layers, self.arguments.width, self.arguments.context)

    def _held_out_loss(self) -> float:
        return held_out_loss(self.model, self.held_out_text, self.config.context)

    def _introduce(self) -> None:
        parameters = sum(parameter.numel() for parameter in self.model.parameters())
        print(
            f"ranks {self.size}, threads a rank {torch.get_num_threads()}, backend {dist.get_backend()}; "
            f"{parameters:,} parameters; "
            f"{len(self.train_text):,} bytes to train on, {len(self.held_out_text):,} held out",
            flush=True,
        )
        if self.step:
            print(f"resumed from {self.arguments.checkpoint} at step {self.step}", flush=True)

    def _train(self) -> TrainingProgress:
        exposed_wait = ExposedWait(self.model)
        text = share_of(self.train_text, self.rank, self.size)
        tokens_per_step = self.size * self.arguments.batch * self.config.context
        with TrainingProgress(self.step, self.arguments.steps, tokens_per_step, shown=self.rank == 0) as progress:
            while self.step < self.arguments.steps:
                progress.advance(*self._train_step(text, exposed_wait))
                self.step += 1
                if self.step % SAVE_EVERY == 0 and self.rank == 0:
                    self._write_checkpoint()
        return progress

    def _train_step(self, text: Tensor, exposed_wait: ExposedWait) -> tuple[float, float]:
        """Returns the loss on this rank's batch, and the seconds waited for communication."""
        for group in self.optimiser.param_groups:
            group["lr"] = learning_rate(self.step, self.arguments.steps, self.arguments.lr)
        seed = (self.seed, self.step, self.rank)
        loss = self.ddp(*random_windows(text, self.arguments.batch, self.config.context, seed))
        waited = exposed_wait.backward(loss)
        nn.utils.clip_grad_norm_(self.model.parameters(), 1.0)
        self.optimiser.step()
        self.optimiser.zero_grad()
        return loss.item(), waited

    def _write_checkpoint(self) -> None:
        """Seed and step are all there is to know about the random numbers: see `random_windows`."""
        save(
            self.arguments.checkpoint,
            config=asdict(self.config),
            seed=self.seed,
            step=self.step,
            first_loss=self.first_loss,
            model=self.model.state_dict(),
            optimiser=self.optimiser.state_dict(),
        )

    def _save(self) -> bool:
        """Writes the checkpoint and reads it back; every rank learns whether that worked."""
        saved = True
        if self.rank == 0:
            try:
                self._write_checkpoint()
                saved = checksum(load(self.arguments.checkpoint)["model"]) == checksum(self.model.state_dict())
            except (OSError, RuntimeError) as error:
                print(f"no checkpoint in {self.arguments.checkpoint}: {error}", flush=True)
                saved = False
        return all_ranks(saved)

    def _summarise(self, progress: TrainingProgress, last_loss: float, saved: bool) -> bool:
        digest = checksum(self.model.state_dict())
        same = same_on_all_ranks(digest)
        waiting = torch.tensor(progress.waiting_share())
        dist.all_reduce(waiting)
        limit = min(self.first_loss, self.arguments.target_loss)
        learnt = last_loss < limit
        if self.rank == 0:
            verdict = {True: "ok", False: "FAILED"}
            print(
                f"held-out loss  {self.first_loss:.3f} before, {last_loss:.3f} after, in nats/byte; "
                f"to end below {limit:.3f}: {verdict[learnt]}\n"
                f"speed          {progress.tokens_per_second():,.0f} tokens/s; "
                f"{progress.steps} steps in {progress.seconds:.1f} s\n"
                f"waiting        {waiting.item() / self.size:.1%} of the time for communication, mean of the ranks\n"
                f"parameters     sha256 {digest.hex()[:16]}, the same on every rank: {verdict[same]}\n"
                f"checkpoint     {self.arguments.checkpoint}, step {self.step}, read back: {verdict[saved]}",
                flush=True,
            )
        return learnt and same and saved


if __name__ == "__main__":
    sys.exit(main())
