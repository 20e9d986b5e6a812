"""An optimizer whose steps are the Adasum of all ranks' own steps."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch

from allred.flat import FlatBuffer, partition
from allred.horovod.allreduce import Reduction, start_on
from allred.horovod.compression import Compressor
from allred.horovod.gradients import MAX_BUCKET_BYTES, Named
from allred.horovod.lane import Lane


class AdasumOptimizer:
    """What such an optimizer has over the one that it is made of, whose class is the next of its bases.

    Each rank takes its own step with its own gradients, and the ranks' steps are combined, tensor by tensor: so the
    optimizer's own scaling, such as Adam's, comes before the combination.
    """

    _lane: Lane
    _how: Reduction
    _compression: type[Compressor]
    _divided: list[list[torch.nn.Parameter]]

    def synchronize(self) -> None:
        """Does nothing: gradients stay the rank's own."""

    def skip_synchronize(self) -> None:
        """Is not offered.

        Raises:
            AssertionError: always.
        """
        raise AssertionError("skip_synchronize() with op=Adasum: it is the step that is reduced, and not the gradients")

    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """Takes the combination of all ranks' steps.

        Raises:
            MismatchError: the ranks' parameters differ.
            UnsupportedError: a rank has joined.
        """
        begins = [[parameter.detach().clone() for parameter in bucket] for bucket in self._divided]
        loss = super().step(closure)  # type: ignore[misc]  # of the optimizer's class
        with torch.no_grad():
            for parameters, begin in zip(self._divided, begins, strict=True):
                self._combine(parameters, begin)
        return loss

    # torch gives hooks to the step of a class that has none; those of the optimizer's own class are enough.
    step.hooked = True  # type: ignore[attr-defined]

    def set_backward_passes_per_step(self, passes: int) -> None:
        """Does nothing: a step takes whatever has been added to the gradients."""

    def _begin(self, parameters: Sequence[Named], how: Reduction, compression: type[Compressor]) -> None:
        self._lane = how.process_set.gradients
        self._how = how._replace(name=f"steps {self._lane.new_owner()}")
        self._compression = compression
        tensors = [parameter for _, parameter in parameters]
        self._divided = [[tensors[idx] for idx in bucket] for bucket in partition(tensors, MAX_BUCKET_BYTES)]

    def _combine(self, parameters: list[torch.nn.Parameter], begin: list[torch.Tensor]) -> None:
        steps = FlatBuffer(parameters)
        steps.pack(torch._foreach_sub(parameters, begin))
        compressed, context = self._compression.compress(steps.data)
        counts = [parameter.numel() for parameter in parameters]
        start_on(self._lane, compressed, compressed, self._how, counts=counts).wait()
        combined = FlatBuffer(parameters, self._compression.decompress(compressed, context))
        torch._foreach_add_(combined.views, begin)
        combined.unpack(parameters)
