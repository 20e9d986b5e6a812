"""The mean of the ranks' models."""

from __future__ import annotations

import torch

from allred.ranks import Group, Ranks


def average_parameters(model: torch.nn.Module, group: Group = None, *, buffers: bool = False) -> None:
    """Replaces a model's parameters by their mean over the ranks. Collective; all ranks end with the same bits.

    Args:
        model: with the same parameters, in shape, dtype and order, on all ranks.
        group: a process group of torch, or an :class:`allred.Communicator`; by default torch's default group.
        buffers: also averages buffers of a floating dtype, such as running means. Others stay each rank's own.

    Raises:
        ValueError: there is no default group.
        MismatchError: the ranks' models differ in the number of elements or dtype; of a process group,
            ``DistBackendError``.
    """
    Ranks(group, "average_parameters").average(averaged_tensors(model, buffers))


def averaged_tensors(model: torch.nn.Module, buffers: bool) -> list[torch.Tensor]:
    """What of a model is averaged: its parameters, and if asked for the buffers of which there is a mean."""
    found: list[torch.Tensor] = list(model.parameters())
    if buffers:
        found += [buffer for buffer in model.buffers() if buffer.is_floating_point() or buffer.is_complex()]
    return found
