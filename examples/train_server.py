"""Classifies scikit-learn's digits with a parameter server: no worker waits for another.

    mpirun -n 3 python examples/train_server.py

Rank 0 keeps the parameters, the others train on their share of the images; a rank alone does both. The exit status is 0
only if the held-out accuracy reaches 0.95.
"""

from __future__ import annotations

import argparse
import sys
import time

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy
from torch.utils.data import DataLoader, DistributedSampler, TensorDataset
from train_digits import REQUIRED_ACCURACY, load_images, network

import allred


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Train a small network on scikit-learn's digits by parameter server.")
    parser.add_argument("--servers", type=int, default=1, help="ranks that keep the parameters (%(default)s)")
    parser.add_argument("--mode", default="asynchronous", help="asynchronous, synchronous or bounded (%(default)s)")
    parser.add_argument("--staleness", type=int, default=4, help="steps ahead of the slowest, if bounded (%(default)s)")
    parser.add_argument("--epochs", type=int, default=15, help="passes over the train images (%(default)s)")
    parser.add_argument("--batch", type=int, default=32, help="images a worker and step (%(default)s)")
    parser.add_argument("--lr", type=float, default=2e-3, help="learning rate (%(default)s)")
    parser.add_argument("--timeout", type=float, default=60, help="seconds a rank may be silent (%(default)s)")
    parser.add_argument("--checkpoint", help="folder in which to save what was learnt")
    return parser.parse_args()


def main() -> int:
    arguments = parse_arguments()
    comm = allred.init(timeout=arguments.timeout)
    torch.set_num_threads(1)  # the network is too small to gain from more
    torch.manual_seed(0)
    train_images, held_out_images = load_images()
    model = network()
    begun = time.perf_counter()
    server = allred.ParameterServer(
        comm,
        dict(model.named_parameters()),
        servers=range(arguments.servers),
        optimizer=allred.server.Adam(arguments.lr),
        mode=arguments.mode,
        staleness=arguments.staleness,
    )
    with server:
        if server.is_worker:
            train(model, server, train_images, arguments)
        server.wait()  # on a server, for the workers that are not done yet
        if comm.rank != 0:
            return 0
        if arguments.checkpoint:
            server.save(arguments.checkpoint)
        server.pull(into=dict(model.named_parameters()))
        steps = max(server.status().steps.values())
    accuracy = held_out_accuracy(model, held_out_images)
    passed = accuracy >= REQUIRED_ACCURACY
    verdict = "ok" if passed else f"FAILED: less than {REQUIRED_ACCURACY}"
    seconds = time.perf_counter() - begun
    print(f"held-out accuracy {accuracy:.4f} after {steps} steps in {seconds:.1f} s: {verdict}", flush=True)
    return 0 if passed else 1


def train(
    model: nn.Module, server: allred.ParameterServer, images: TensorDataset, arguments: argparse.Namespace
) -> None:
    parameters = dict(model.named_parameters())
    share = server.workers.index(server.rank)
    sampler: DistributedSampler[tuple[Tensor, Tensor]] = DistributedSampler(images, len(server.workers), share)
    loader = DataLoader(images, batch_size=arguments.batch, sampler=sampler)
    for epoch in range(arguments.epochs):
        sampler.set_epoch(epoch)  # another order in every epoch
        for pixels, digits in loader:
            server.pull(into=parameters)
            loss = cross_entropy(model(pixels), digits)
            model.zero_grad()
            loss.backward()
            server.push({name: parameter.grad for name, parameter in parameters.items()})
        if share == 0:
            print(f"epoch {epoch + 1}/{arguments.epochs}  loss {loss.item():.4f}", flush=True)


@torch.inference_mode()
def held_out_accuracy(model: nn.Module, images: TensorDataset) -> float:
    """Share of the held-out images recognised."""
    pixels, digits = images.tensors
    return (model(pixels).argmax(dim=1) == digits).float().mean().item()


if __name__ == "__main__":
    sys.exit(main())
