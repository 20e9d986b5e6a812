"""PyTorch Lightning under torchrun. Arguments: the backend, and a file for what rank 0 has in the end."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist
from clients.training import STEPS, batch, loss, model, optimizer
from pytorch_lightning import LightningModule, Trainer
from pytorch_lightning.strategies import DDPStrategy
from torch.utils.data import DataLoader


class Module(LightningModule):
    def __init__(self) -> None:
        super().__init__()
        self.layers = model()

    def training_step(self, batch: Any, _: int) -> torch.Tensor:
        value = loss(self.layers, *batch)
        self.log("loss", value, on_step=False, on_epoch=True, sync_dist=True)
        return value

    def validation_step(self, batch: Any, _: int) -> None:
        self.log("validation", loss(self.layers, *batch), sync_dist=True)

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return optimizer(self.layers)

    def train_dataloader(self) -> DataLoader:
        return DataLoader([batch(self.global_rank, step) for step in range(STEPS)], batch_size=None)

    def val_dataloader(self) -> DataLoader:
        return DataLoader([batch(self.global_rank, 0)], batch_size=None)


def main(backend: str, file: Path) -> None:
    trainer = Trainer(
        accelerator="cpu",
        devices=int(os.environ["WORLD_SIZE"]),
        strategy=DDPStrategy(process_group_backend=backend),
        use_distributed_sampler=False,  # each rank's loader has its own batches
        max_epochs=1,
        logger=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        default_root_dir=file.parent,
    )
    module = Module()
    trainer.fit(module)
    everyones = module.all_gather(torch.tensor(trainer.global_rank))
    if trainer.is_global_zero:
        found = {
            "model": module.layers.state_dict(),
            "loss": trainer.callback_metrics["loss"],
            "validation": trainer.callback_metrics["validation"],
            "everyones": everyones,
            "backend": dist.get_backend(),
            "checkpoint": torch.load(trainer.checkpoint_callback.best_model_path)["global_step"],
        }
        torch.save(found, file)


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
