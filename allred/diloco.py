"""DiLoCo: ranks train by themselves, and an outer optimizer takes what they have changed for a gradient."""

from __future__ import annotations

from typing import Any

import torch

from allred.errors import InvalidArgumentError
from allred.local_sgd import checked_period
from allred.ranks import Group, Ranks


class DiLoCo:
    """Moves the ranks' common parameters every `period` steps: SGD with Nesterov momentum, along what they changed.

    ::

        diloco = allred.DiLoCo(model, period=100)
        for inputs, targets in batches:
            optimizer.zero_grad()
            loss(model(inputs), targets).backward()
            optimizer.step()
            diloco.step()

    The *outer gradient* is what was common at the period's begin less the mean of the ranks' parameters at its end. All
    ranks take as many steps. The inner optimizer's state stays each rank's own, and so do buffers. With
    ``outer_lr=1`` and ``momentum=0`` this is :class:`allred.LocalSGD`.

    Takes memory for two more copies of the parameters, of float32 where they are narrower.

    Source: Douillard et al., "DiLoCo: Distributed Low-Communication Training of Language Models", 2023, algorithm 1.
    """

    def __init__(
        self,
        model: torch.nn.Module,
        period: int,
        group: Group = None,
        *,
        outer_lr: float = 0.7,
        momentum: float = 0.9,
    ) -> None:
        """Gives all ranks the parameters of rank 0. Collective.

        Args:
            model: with the same parameters, in shape, dtype and order, on all ranks.
            period: inner steps from one outer step to the next; at least 1.
            group: a process group of torch, or an :class:`allred.Communicator`; by default torch's default group.
            outer_lr: the outer learning rate; more than 0.
            momentum: the outer momentum, from 0 to less than 1.

        Raises:
            InvalidArgumentError: an argument is out of range.
            ValueError: there is no default group.
        """
        if outer_lr <= 0:
            raise InvalidArgumentError(f"outer_lr={outer_lr}: expected more than 0")
        if not 0 <= momentum < 1:
            raise InvalidArgumentError(f"momentum={momentum}: expected at least 0 and less than 1")
        self._period = checked_period(period)
        self._ranks = Ranks(group, "DiLoCo")
        self._parameters = list(model.parameters())
        self._ranks.broadcast(self._parameters)
        self._common = [_wide(parameter) for parameter in self._parameters]
        self._outer = torch.optim.SGD(self._common, lr=outer_lr, momentum=momentum, nesterov=momentum > 0)
        self._num_steps = 0

    def step(self) -> bool:
        """Counts a step of the inner optimizer; takes an outer one if the period is over. Returns whether it did.

        Collective in that case; all ranks end with the same parameters, to the bit.
        """
        self._num_steps += 1
        if self._num_steps % self._period:
            return False
        with torch.no_grad():
            for common, parameter in zip(self._common, self._parameters, strict=True):
                common.grad = common - parameter
        self._ranks.average([common.grad for common in self._common])
        self._outer.step()
        self._outer.zero_grad()
        with torch.no_grad():
            torch._foreach_copy_(self._parameters, self._common)
        return True

    def state_dict(self) -> dict[str, Any]:
        """What a checkpoint needs beside the model and the inner optimizer, both of which differ from rank to rank."""
        return {"num_steps": self._num_steps, "common": self._common, "outer": self._outer.state_dict()}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Goes on where ``state_dict()`` was taken. The model's parameters are loaded by the program."""
        self._num_steps = state_dict["num_steps"]
        with torch.no_grad():
            torch._foreach_copy_(self._common, state_dict["common"])
        self._outer.load_state_dict(state_dict["outer"])


def _wide(parameter: torch.Tensor) -> torch.Tensor:
    """A copy, of float32 if the parameter's own dtype is narrower: small steps would be lost in it."""
    dtype = torch.float32 if parameter.dtype.itemsize < torch.float32.itemsize else parameter.dtype
    return parameter.detach().to(dtype, copy=True)
