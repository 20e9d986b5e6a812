"""Classifies the handwritten digits that scikit-learn ships, with DistributedDataParallel and DistributedSampler.

    mpirun -n 2 python examples/train_digits.py

The exit status is 0 only if the held-out accuracy reaches 0.95.
"""

from __future__ import annotations

import argparse
import sys
import time
from datetime import timedelta

import torch
import torch.distributed as dist
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from torch import Tensor, nn
from torch.nn.functional import cross_entropy
from torch.nn.parallel import DistributedDataParallel
from torch.utils.data import DataLoader, DistributedSampler, TensorDataset

REQUIRED_ACCURACY = 0.95


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Train a small network on scikit-learn's digits with DDP.")
    parser.add_argument("--backend", default="allred", help="torch.distributed backend (default: %(default)s)")
    parser.add_argument("--epochs", type=int, default=15, help="passes over the train images (%(default)s)")
    parser.add_argument("--batch", type=int, default=32, help="images a rank and step (%(default)s)")
    parser.add_argument("--lr", type=float, default=3e-3, help="learning rate (%(default)s)")
    parser.add_argument("--timeout", type=float, default=60, help="seconds a rank waits for another (%(default)s)")
    return parser.parse_args()


def main() -> int:
    arguments = parse_arguments()
    dist.init_process_group(arguments.backend, init_method="allred://", timeout=timedelta(seconds=arguments.timeout))
    torch.set_num_threads(1)  # the network is too small to gain from more
    torch.manual_seed(0)
    train_images, held_out_images = load_images()
    begun = time.perf_counter()
    model = train(train_images, arguments)
    seconds = time.perf_counter() - begun
    accuracy = held_out_accuracy(model, held_out_images)
    passed = accuracy >= REQUIRED_ACCURACY
    if dist.get_rank() == 0:
        verdict = "ok" if passed else f"FAILED: less than {REQUIRED_ACCURACY}"
        print(
            f"held-out accuracy {accuracy:.4f} after {arguments.epochs} epochs in {seconds:.1f} s: {verdict}",
            flush=True,
        )
    dist.barrier()  # rank 0 has printed the result before any rank fails: mpirun then ends them all
    dist.destroy_process_group()
    return 0 if passed else 1


def load_images() -> tuple[TensorDataset, TensorDataset]:
    """Train and held-out images, (count, 1, 8, 8) between 0 and 1, with their digits; the same on every rank."""
    images, digits = load_digits(return_X_y=True)
    parts = train_test_split(images / 16, digits, test_size=0.2, stratify=digits, random_state=0)
    train_images, held_out_images, train_digits, held_out_digits = (torch.from_numpy(part) for part in parts)
    return as_dataset(train_images, train_digits), as_dataset(held_out_images, held_out_digits)


def as_dataset(images: Tensor, digits: Tensor) -> TensorDataset:
    return TensorDataset(images.float().view(-1, 1, 8, 8), digits)


def network() -> nn.Module:
    return nn.Sequential(
        nn.Conv2d(1, 16, kernel_size=3, padding=1),
        nn.ReLU(),
        nn.Conv2d(16, 32, kernel_size=3, padding=1),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Flatten(),
        nn.Linear(32 * 4 * 4, 64),
        nn.ReLU(),
        nn.Linear(64, 10),
    )


def train(images: TensorDataset, arguments: argparse.Namespace) -> nn.Module:
    model = network()
    ddp = DistributedDataParallel(model)
    optimiser = torch.optim.Adam(model.parameters(), lr=arguments.lr)
    sampler: DistributedSampler[tuple[Tensor, Tensor]] = DistributedSampler(images)
    loader = DataLoader(images, batch_size=arguments.batch, sampler=sampler)
    for epoch in range(arguments.epochs):
        sampler.set_epoch(epoch)  # another order in every epoch
        for pixels, digits in loader:
            loss = cross_entropy(ddp(pixels), digits)
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
        if dist.get_rank() == 0:
            print(f"epoch {epoch + 1}/{arguments.epochs}  loss {loss.item():.4f}", flush=True)
    return model


@torch.inference_mode()
def held_out_accuracy(model: nn.Module, images: TensorDataset) -> float:
    """Share of the held-out images recognised; each rank looks at its part of them."""
    pixels, digits = (tensor[dist.get_rank() :: dist.get_world_size()] for tensor in images.tensors)
    right = (model(pixels).argmax(dim=1) == digits).sum()
    dist.all_reduce(right)
    return right.item() / len(images)


if __name__ == "__main__":
    sys.exit(main())
