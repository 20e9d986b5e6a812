"""Classifies the handwritten digits that scikit-learn ships, as a Horovod script: its import line is all that differs.

    mpirun -n 2 python examples/train_horovod.py

The exit status is 0 only if the held-out accuracy reaches 0.95.
"""

from __future__ import annotations

import argparse
import sys

import torch
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from torch import nn
from torch.nn.functional import cross_entropy
from torch.utils.data import DataLoader, DistributedSampler, TensorDataset

import allred.horovod as hvd

REQUIRED_ACCURACY = 0.95


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Train a small network on scikit-learn's digits, the Horovod way.")
    parser.add_argument("--epochs", type=int, default=15, help="passes over the train images (%(default)s)")
    parser.add_argument("--batch", type=int, default=32, help="images a rank and step (%(default)s)")
    parser.add_argument("--lr", type=float, default=0.003, help="learning rate (%(default)s)")
    parser.add_argument("--clip", type=float, default=5.0, help="largest norm of the gradients (%(default)s)")
    parser.add_argument("--fp16-allreduce", action="store_true", help="let gradients travel as float16")
    parser.add_argument("--use-adasum", action="store_true", help="combine the ranks' steps by Adasum")
    return parser.parse_args()


def load_images() -> tuple[TensorDataset, TensorDataset]:
    """Train and held-out images, (count, 64) between 0 and 1, with their digits; the same on every rank."""
    images, digits = load_digits(return_X_y=True)
    parts = train_test_split(images / 16, digits, test_size=0.2, stratify=digits, random_state=0)
    train_images, held_out_images, train_digits, held_out_digits = (torch.from_numpy(part) for part in parts)
    return TensorDataset(train_images.float(), train_digits), TensorDataset(held_out_images.float(), held_out_digits)


def train_epoch(model: nn.Module, optimizer: torch.optim.Optimizer, loader: DataLoader, clip: float | None) -> float:
    """One pass over this rank's images; returns the mean loss of all ranks' last batches."""
    model.train()
    for images, digits in loader:
        optimizer.zero_grad()
        loss = cross_entropy(model(images), digits)
        loss.backward()
        if clip is None:
            optimizer.step()
            continue
        optimizer.synchronize()
        nn.utils.clip_grad_norm_(model.parameters(), clip)
        with optimizer.skip_synchronize():
            optimizer.step()
    return hvd.allreduce(loss.detach(), name="loss").item()


@torch.inference_mode()
def held_out_accuracy(model: nn.Module, images: TensorDataset) -> float:
    """Share of the held-out images recognised; each rank looks at its part of them."""
    model.eval()
    pixels, digits = (tensor[hvd.rank() :: hvd.size()] for tensor in images.tensors)
    right = (model(pixels).argmax(dim=1) == digits).sum()
    return hvd.allreduce(right, name="right", op=hvd.Sum).item() / len(images)


def main() -> int:
    arguments = parse_arguments()
    hvd.init()
    torch.set_num_threads(1)  # the network is too small to gain from more
    torch.manual_seed(hvd.rank())  # rank 0's values are sent to all

    train_images, held_out_images = load_images()
    sampler = DistributedSampler(train_images, num_replicas=hvd.size(), rank=hvd.rank())
    loader = DataLoader(train_images, batch_size=arguments.batch, sampler=sampler)
    model = nn.Sequential(nn.Linear(64, 128), nn.ReLU(), nn.Linear(128, 64), nn.ReLU(), nn.Linear(64, 10))
    optimizer = torch.optim.Adam(model.parameters(), lr=arguments.lr)

    hvd.broadcast_parameters(model.state_dict(), root_rank=0)
    hvd.broadcast_optimizer_state(optimizer, root_rank=0)
    optimizer = hvd.DistributedOptimizer(
        optimizer,
        named_parameters=model.named_parameters(),
        compression=hvd.Compression.fp16 if arguments.fp16_allreduce else hvd.Compression.none,
        op=hvd.Adasum if arguments.use_adasum else hvd.Average,
    )

    for epoch in range(arguments.epochs):
        sampler.set_epoch(epoch)  # another order in every epoch
        loss = train_epoch(model, optimizer, loader, None if arguments.use_adasum else arguments.clip)
        if hvd.rank() == 0:
            print(f"epoch {epoch + 1}/{arguments.epochs}  loss {loss:.4f}", flush=True)

    accuracy = held_out_accuracy(model, held_out_images)
    passed = accuracy >= REQUIRED_ACCURACY
    if hvd.rank() == 0:
        verdict = "ok" if passed else f"FAILED: less than {REQUIRED_ACCURACY}"
        print(f"{hvd.size()} ranks, held-out accuracy {accuracy:.4f}: {verdict}", flush=True)
    hvd.barrier()  # rank 0 has printed the result before any rank fails: mpirun then ends them all
    hvd.shutdown()
    return 0 if passed else 1


if __name__ == "__main__":
    sys.exit(main())
