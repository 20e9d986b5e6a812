"""Hugging Face Accelerate under torchrun. Arguments: the backend, and a file for what rank 0 has in the end.

Accelerate knows "gloo" alone for CPUs; it takes the process group that is there.
"""

from __future__ import annotations

import sys
from pathlib import Path

import torch
import torch.distributed as dist
from accelerate import Accelerator
from accelerate.utils import broadcast_object_list
from clients.training import STEPS, batch, model, optimizer
from torch.nn.functional import mse_loss
from torch.utils.data import DataLoader, TensorDataset


def main(backend: str, file: Path) -> None:
    dist.init_process_group(backend)
    accelerator = Accelerator(cpu=True)
    size = accelerator.num_processes
    inputs, targets = zip(*(batch(rank, step) for step in range(STEPS) for rank in range(size)), strict=True)
    data = TensorDataset(torch.cat(inputs), torch.cat(targets))
    module = model()
    parallel, stepper, loader = accelerator.prepare(
        module, optimizer(module), DataLoader(data, batch_size=len(inputs[0]))
    )
    losses = []
    for step_inputs, step_targets in loader:
        stepper.zero_grad()
        loss = mse_loss(parallel(step_inputs), step_targets)
        accelerator.backward(loss)
        stepper.step()
        losses.append(accelerator.gather(loss.detach()[None]).mean())
    names = broadcast_object_list([type(parallel).__name__ if accelerator.is_main_process else None])
    total = accelerator.reduce(torch.tensor(accelerator.process_index + 1.0), reduction="sum")
    everyones = accelerator.gather_for_metrics([accelerator.process_index], use_gather_object=True)
    padded = accelerator.pad_across_processes(torch.ones(accelerator.process_index + 1))
    accelerator.wait_for_everyone()
    if accelerator.is_main_process:
        found = {
            "model": accelerator.unwrap_model(parallel).state_dict(),
            "losses": torch.stack(losses),
            "names": names,
            "total": total,
            "everyones": everyones,
            "padded": padded,
            "backend": dist.get_backend(),
        }
        torch.save(found, file)
    accelerator.end_training()


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
