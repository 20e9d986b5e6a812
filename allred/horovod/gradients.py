"""Gradients that are reduced while the backward pass still makes others.

Gradients arrive in an order that may differ from rank to rank. They are gathered in *buckets*, which all ranks launch
in one order: each bucket when it is full and those before it are launched, and what is left when the program waits.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch

from allred.errors import InvalidArgumentError, UnsupportedError
from allred.flat import FlatBuffer, partition
from allred.horovod.allreduce import Reduction, start_on
from allred.horovod.compression import Compressor
from allred.horovod.handles import Handle
from allred.horovod.lane import Lane

MAX_BUCKET_BYTES = 25 << 20
Named = tuple[str, torch.nn.Parameter]


class Bucket:
    """Parameters whose gradients travel together, and the memory in which they do.

    Attributes:
        parameters: with their names, all of one dtype.
        num_awaited: how many gradients are still to arrive.
    """

    def __init__(self, lane: Lane, parameters: Sequence[Named], how: Reduction, compression: type[Compressor]) -> None:
        self.parameters = parameters
        self.num_awaited = len(parameters)
        self._lane = lane
        self._how = how
        self._compression = compression
        tensors = [parameter for _, parameter in parameters]
        num_bytes = sum(tensor.nbytes for tensor in tensors)
        # Symmetric memory, which peers reduce where it lies.
        memory = torch.from_numpy(lane.communicator.empty(num_bytes, "uint8"))
        self._flat = FlatBuffer(tensors, memory.view(tensors[0].dtype))
        self._handle: Handle | None = None
        self._context: object = None

    def launch(self) -> None:
        """Starts the reduction. A parameter without a gradient, which other ranks may have, gets one of zeros."""
        for _, parameter in self.parameters:
            if parameter.grad is None:
                parameter.grad = torch.zeros_like(parameter)
            elif parameter.grad.is_sparse:
                parameter.grad = parameter.grad.to_dense()
        self._flat.pack([_gradient(parameter) for _, parameter in self.parameters])
        compressed, self._context = self._compression.compress(self._flat.data)
        self._handle = start_on(self._lane, compressed, compressed, self._how, result=compressed)

    def finish(self) -> None:
        """Waits for the reduction, and puts the result in the place of the gradients."""
        assert self._handle is not None
        handle, self._handle = self._handle, None
        reduced = self._compression.decompress(handle.wait(), self._context)
        FlatBuffer(self._flat.views, reduced).unpack([_gradient(parameter) for _, parameter in self.parameters])


def _gradient(parameter: torch.nn.Parameter) -> torch.Tensor:
    assert parameter.grad is not None
    return parameter.grad


class GradientReducer:
    """Reduces the gradients of parameters during the backward passes, and waits for them.

    Its hooks take the place of those of a reducer that the parameters had before. Not thread-safe.

    Attributes:
        num_passes: how many backward passes add to a gradient before it is reduced.
    """

    def __init__(self, buckets: Sequence[Bucket], num_passes: int, sparse_as_dense: bool) -> None:
        self.num_passes = num_passes
        self._sparse_as_dense = sparse_as_dense
        self._buckets = buckets
        self._num_launched = 0
        self._passes_left: dict[torch.nn.Parameter, int] = {}
        for bucket in buckets:
            for name, parameter in bucket.parameters:
                self._passes_left[parameter] = num_passes
                self._hook(name, parameter, bucket)
        self._has_begun = False

    @property
    def is_pending(self) -> bool:
        """Whether gradients have arrived for which nobody has waited."""
        return self._has_begun

    def synchronize(self) -> None:
        """Reduces what is not under way yet, and waits for all."""
        while self._num_launched < len(self._buckets):
            self._launch_next()
        errors = []
        for bucket in self._buckets:  # all of them, also after an error: their memory is in use until they are over
            try:
                bucket.finish()
            except Exception as error:
                errors.append(error)
        self.reset()
        if errors:
            raise errors[0]

    def reset(self) -> None:
        """Awaits all gradients anew."""
        self._num_launched = 0
        self._has_begun = False
        for parameter in self._passes_left:
            self._passes_left[parameter] = self.num_passes
        for bucket in self._buckets:
            bucket.num_awaited = len(bucket.parameters)

    def _hook(self, name: str, parameter: torch.nn.Parameter, bucket: Bucket) -> None:
        def arrived(_: torch.Tensor) -> None:
            self._arrived(name, parameter, bucket)

        former = getattr(parameter, "_allred_hook", None)
        if former is not None:
            former.remove()
        parameter._allred_hook = parameter.register_post_accumulate_grad_hook(arrived)

    def _arrived(self, name: str, parameter: torch.nn.Parameter, bucket: Bucket) -> None:
        if self._passes_left[parameter] == 0:
            raise AssertionError(
                f"the gradient of {name!r} was computed more than backward_passes_per_step={self.num_passes} times "
                "before step() or synchronize(): raise backward_passes_per_step to accumulate more of them"
            )
        gradient = _gradient(parameter)
        if gradient.requires_grad:
            raise InvalidArgumentError(
                f"the gradient of {name!r} has a graph (create_graph=True): expected one without"
            )
        if gradient.is_sparse and not self._sparse_as_dense:
            raise UnsupportedError(
                f"the gradient of {name!r} is sparse: pass sparse_as_dense=True, or reduce it yourself with "
                "hvd.sparse_allreduce_async"
            )
        self._has_begun = True
        self._passes_left[parameter] -= 1
        if self._passes_left[parameter] == 0:
            bucket.num_awaited -= 1
        while self._num_launched < len(self._buckets) and self._buckets[self._num_launched].num_awaited == 0:
            self._launch_next()

    def _launch_next(self) -> None:
        self._buckets[self._num_launched].launch()
        self._num_launched += 1


def make_buckets(
    lane: Lane,
    parameters: Sequence[Named],
    groups: Sequence[Sequence[int]],
    how: Reduction,
    compression: type[Compressor],
) -> list[Bucket]:
    """The buckets of parameters, in the order in which they are likely to be full.

    Args:
        lane: on which they are launched.
        parameters: in the order in which the model uses them, so that gradients arrive in about the reverse.
        groups: the indices of parameters that must be in one bucket, for each dtype among them. Others are put together
            as they come.
        how: the reduction.
        compression: what travels in the place of a bucket.
    """
    grouped = {idx for group in groups for idx in group}
    others = [idx for idx in reversed(range(len(parameters))) if idx not in grouped]
    divisions = [_divided(parameters, group, sum(parameters[idx][1].nbytes for idx in group)) for group in groups]
    divisions.append(_divided(parameters, others, MAX_BUCKET_BYTES))
    contents = sorted((bucket for division in divisions for bucket in division), key=min, reverse=True)
    owner = lane.new_owner()
    return [
        Bucket(
            lane,
            [parameters[idx] for idx in content],
            how._replace(name=f"gradients {owner}.{number}"),
            compression,
        )
        for number, content in enumerate(contents)
    ]


def _divided(parameters: Sequence[Named], idxs: Sequence[int], max_bytes: int) -> list[list[int]]:
    return [[idxs[place] for place in bucket] for bucket in partition([parameters[idx][1] for idx in idxs], max_bytes)]
