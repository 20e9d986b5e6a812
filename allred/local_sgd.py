"""Local SGD: ranks train by themselves, and average their models now and then."""

from __future__ import annotations

from typing import Any

import torch

from allred.averaging import averaged_tensors
from allred.errors import InvalidArgumentError
from allred.ranks import Group, Ranks


class LocalSGD:
    """Averages a model over the ranks after every `period` steps of whatever optimizer.

    ::

        local_sgd = allred.LocalSGD(model, period=8)
        for inputs, targets in batches:
            optimizer.zero_grad()
            loss(model(inputs), targets).backward()
            optimizer.step()
            local_sgd.step()

    All ranks take as many steps. The optimizer's state, such as momentum, stays each rank's own. With a period of 1 and
    plain SGD this is data-parallel training.

    Source: Stich, "Local SGD Converges Fast and Communicates Little", ICLR 2019.
    """

    def __init__(self, model: torch.nn.Module, period: int, group: Group = None, *, buffers: bool = False) -> None:
        """Remembers the model; changes nothing.

        Args:
            model: with the same parameters, in shape, dtype and order, on all ranks.
            period: steps from one average to the next; at least 1.
            group: a process group of torch, or an :class:`allred.Communicator`; by default torch's default group.
            buffers: also averages buffers of a floating dtype.

        Raises:
            InvalidArgumentError: `period` is less than 1.
            ValueError: there is no default group.
        """
        self._period = checked_period(period)
        self._ranks = Ranks(group, "LocalSGD")
        self._tensors = averaged_tensors(model, buffers)
        self._num_steps = 0

    def step(self) -> bool:
        """Counts a step of the optimizer; averages the model if the period is over. Returns whether it did.

        Collective in that case.
        """
        self._num_steps += 1
        if self._num_steps % self._period:
            return False
        self._ranks.average(self._tensors)
        return True

    def state_dict(self) -> dict[str, Any]:
        """What a checkpoint needs beside the model and the optimizer, both of which differ from rank to rank."""
        return {"num_steps": self._num_steps}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Goes on where ``state_dict()`` was taken."""
        self._num_steps = state_dict["num_steps"]


def checked_period(period: int) -> int:
    """The period. Raises InvalidArgumentError if it is less than 1."""
    if period < 1:
        raise InvalidArgumentError(f"period={period}: expected at least 1 step")
    return period
