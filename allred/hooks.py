"""Communication hooks for torch's DistributedDataParallel, which compress gradients between the ranks.

    model = DistributedDataParallel(model)
    model.register_comm_hook(None, allred.hooks.bfloat16)
    model.register_comm_hook(None, allred.hooks.int8)
    model.register_comm_hook(allred.hooks.Int8(error_feedback=True), allred.hooks.int8)
    model.register_comm_hook(allred.hooks.TopK(ratio=0.01), allred.hooks.top_k)
    model.register_comm_hook(None, allred.hooks.step_on_arrival(allred.hooks.int8, torch.optim.AdamW, lr=1e-3))

One of these lines. A hook's first argument is its state: None for the default group, a process group, or an object
made here. All of them average the gradients of dense buckets in CPU memory, asynchronously, and give all ranks the same
bits. docs/compression.md tells what each costs. A group whose backend for CPU is not allred is a ValueError in the
first backward pass; a dtype that a hook does not compress is an error of all ranks there.
"""

# torch compares the annotations of hooks with its types, so they must not be strings: no annotations from __future__.

import warnings
from collections.abc import Callable
from typing import Any, TypeAlias

import torch
import torch.distributed as dist

from allred import _core
from allred.backend import backend_of
from allred.ddp_gradients import Matrices, Vectors

Reduced: TypeAlias = torch.futures.Future[torch.Tensor]
Hook: TypeAlias = Callable[[Any, dist.GradBucket], Reduced]

_MOST_SEEDS = 2**64


class _Residuals:
    """Error feedback: what compression lost of each parameter's gradient, laid out as the buckets are.

    DistributedDataParallel fills its buckets anew after the first iteration: what was kept of a parameter goes with it
    to wherever its gradient lies now.
    """

    def __init__(self) -> None:
        self._flat: dict[int, torch.Tensor] = {}  # by index of the bucket
        self._parameters: dict[int, list[torch.Tensor]] = {}
        self._pieces: dict[torch.Tensor, torch.Tensor] = {}  # of each parameter, a part of one of the flat tensors

    def of(self, bucket: dist.GradBucket) -> torch.Tensor:
        """A float32 tensor of the bucket's length, which is to be updated in place."""
        index, parameters = bucket.index(), bucket.parameters()
        known = self._parameters.get(index, [])
        if len(known) != len(parameters) or any(a is not b for a, b in zip(known, parameters, strict=True)):
            self._lay_out(index, parameters, bucket.buffer().numel())
        return self._flat[index]

    def _lay_out(self, index: int, parameters: list[torch.Tensor], count: int) -> None:
        flat = torch.zeros(count, dtype=torch.float32)
        pieces = flat.split([parameter.numel() for parameter in parameters])
        for parameter, piece in zip(parameters, pieces, strict=True):
            if parameter in self._pieces:
                piece.copy_(self._pieces[parameter])
            self._pieces[parameter] = piece
        self._flat[index] = flat
        self._parameters[index] = parameters


class Int8:
    """State of the hook :func:`int8` of one model.

    Args:
        group: the model's process group; by default the default group.
        stochastic: round to one of the two nearest codes, by chances that make the mean exact.
        seed: of the random numbers of that, from 0 to 2**64 - 1. A run with the same seed gives the same bits.
        error_feedback: keep what rounding this rank's gradients loses, and add it to those of the next step. Takes as
            much memory as the gradients in float32.

    Raises:
        ValueError: the seed is out of range.
    """

    def __init__(
        self,
        group: dist.ProcessGroup | None = None,
        *,
        stochastic: bool = False,
        seed: int = 0,
        error_feedback: bool = False,
    ) -> None:
        if not 0 <= seed < _MOST_SEEDS:
            raise ValueError(f"seed={seed}: expected 0 to 2**64 - 1")
        self.group = group
        self.codec = "int8_stochastic" if stochastic else "int8"
        self.seed = seed
        self.residuals = _Residuals() if error_feedback else None


class TopK:
    """State of the hook :func:`top_k` of one model.

    Args:
        ratio: of the coefficients of a matrix, the share that a rank sends: the largest, at least one. In (0, 1].
        group: the model's process group; by default the default group.
        warm_up: steps in which the share falls from all to ``ratio``, by the same factor each; 0 for none. Early
            gradients change fast, and the bases are learned from them.

    Raises:
        ValueError: the ratio or the warm-up is out of range.
    """

    def __init__(self, ratio: float = 0.01, group: dist.ProcessGroup | None = None, warm_up: int = 100) -> None:
        if not 0 < ratio <= 1:
            raise ValueError(f"ratio={ratio}: expected more than 0 and at most 1")
        if warm_up < 0:
            raise ValueError(f"warm_up={warm_up}: expected 0 or more steps")
        self.ratio = ratio
        self.group = group
        self.warm_up = warm_up
        self.steps = 0  # whose backward pass is over
        self.residuals = _Residuals()
        self._bases: dict[torch.Tensor, _core.LearnedBasis] = {}  # by parameter

    def share(self) -> float:
        """Of the coefficients, what is sent in this step."""
        return float(self.ratio ** min(1.0, self.steps / self.warm_up if self.warm_up else 1.0))

    def basis_of(self, parameter: torch.Tensor) -> _core.LearnedBasis:
        """That of a parameter's gradients, as a matrix whose rows are those of the first dimension."""
        if parameter not in self._bases:
            self._bases[parameter] = _core.LearnedBasis(len(parameter), parameter[0].numel())
        return self._bases[parameter]


# ---- hooks ----


def bfloat16(state: dist.ProcessGroup | None, bucket: dist.GradBucket) -> Reduced:
    """Gradients travel as bfloat16, half the bytes of float32, with 8 bits of precision.

    They are added in float32, and their mean is rounded once more.

    Args:
        state: the model's process group; None for the default group.
        bucket: gradients of dtype float32 or float64.
    """
    return _compressed("bfloat16", state, bucket)


def float16(state: dist.ProcessGroup | None, bucket: dist.GradBucket) -> Reduced:
    """Gradients travel as float16, half the bytes of float32, with 11 bits of precision.

    As :func:`bfloat16`; a gradient beyond 65504 becomes infinite, one below 3e-8 zero.
    """
    return _compressed("float16", state, bucket)


def int8(state: Int8 | dist.ProcessGroup | None, bucket: dist.GradBucket) -> Reduced:
    """Gradients travel as codes of 8 bits with a unit for each 128 of them, 1/3.9 of the bytes of float32.

    Those of one dimension, such as biases, travel as they are.
    A block of 128 that holds an infinity or NaN becomes NaN as a whole, on all ranks.

    Args:
        state: an :class:`Int8`, or as for :func:`bfloat16`.
        bucket: gradients of dtype float32, float64, float16 or bfloat16.
    """
    own = state if isinstance(state, Int8) else Int8(state)
    backend_of(_checked(own.group), "allred.hooks.int8")
    vectors = Vectors(bucket, own.group)
    residual = own.residuals.of(bucket) if own.residuals else None

    def restore(done: Reduced) -> torch.Tensor:
        reduced = done.value()
        vectors.restore()
        return reduced

    return _compressed(own.codec, own.group, bucket, seed=own.seed, residual=residual).then(restore)


def top_k(state: TopK, bucket: dist.GradBucket) -> Reduced:
    """Each rank sends, of each matrix, the few coefficients of largest magnitude, as pairs of index and value.

    They are those in a basis that is learned from the mean gradients, where a few of them make up most of a gradient.
    What a rank does not send it keeps, and adds to its gradients of the next step. Gradients of one dimension travel as
    they are. Whatever takes fewer bytes is sent: early in a warm-up, all gradients as they are.

    Args:
        state: a :class:`TopK`.
        bucket: gradients of any floating dtype.
    """
    if not isinstance(state, TopK):
        raise TypeError(f"allred.hooks.top_k: its state must be an allred.hooks.TopK, got {type(state).__name__}")
    backend_of(state.group, "allred.hooks.top_k")
    vectors = Vectors(bucket, state.group)
    matrices = Matrices(state, bucket)
    share = state.share()
    if bucket.is_last():
        state.steps += 1
    sends_all = share * dist.get_world_size(state.group) >= 1
    arrived = matrices.send_all() if sends_all else matrices.send_largest(share)

    def finish(done: torch.futures.Future[Any]) -> torch.Tensor:
        done.value()  # raises the error of a call that failed
        matrices.receive()
        vectors.restore()
        return bucket.buffer()

    return arrived.then(finish)


def _compressed(
    codec: str,
    group: dist.ProcessGroup | None,
    bucket: dist.GradBucket,
    *,
    seed: int = 0,
    residual: torch.Tensor | None = None,
) -> Reduced:
    backend = backend_of(_checked(group), f"allred.hooks.{codec}")
    work = backend.compressed_all_reduce(
        bucket.buffer(), codec, op=dist.ReduceOp.AVG, seed=seed, residual=residual, async_op=True
    )
    return work.get_future().then(lambda done: done.value()[0])


def _checked(group: dist.ProcessGroup | None) -> dist.ProcessGroup | None:
    if group is not None and not isinstance(group, dist.ProcessGroup):
        raise TypeError(f"allred.hooks: the state must be a process group or None, got {type(group).__name__}")
    return group


# ---- the optimiser ----


def step_on_arrival(hook: Hook, optimizer_class: type[torch.optim.Optimizer], **settings: Any) -> Hook:
    """A hook that also steps the optimiser, on each bucket as it arrives, beside the communication of the others.

    Training then has no optimiser of its own: ``loss.backward()`` updates the parameters, all of them with the same
    settings. The result is that of the ordinary optimiser. Not for what looks at all gradients before the step, such as
    clipping by their norm or a GradScaler, and not for parameters that are left out of some steps.

    Args:
        hook: any communication hook that averages the gradients; its state is given to ``register_comm_hook``.
        optimizer_class: torch.optim.SGD or torch.optim.AdamW.
        **settings: what ``optimizer_class`` takes.

    Returns:
        The hook. Its attribute ``settings`` is a dict of the settings that are numbers, read at each step:
        ``hook.settings["lr"] = 1e-4`` takes effect with the next backward pass.

    Raises:
        TypeError: the hook cannot be called, or a setting is not known.
        ValueError: the optimiser is another one.
    """
    from torch.distributed.optim.utils import as_functional_optim

    if not callable(hook):
        raise TypeError(f"hook={hook!r} cannot be called; expected a communication hook")
    if optimizer_class not in (torch.optim.SGD, torch.optim.AdamW):
        raise ValueError(f"optimizer_class={optimizer_class!r}: expected torch.optim.SGD or torch.optim.AdamW")
    with warnings.catch_warnings(record=True):  # of TorchScript's end, which torch raises whatever the filters are
        optimizer = as_functional_optim(optimizer_class, **settings)

    def hook_and_step(state: Any, bucket: dist.GradBucket) -> Reduced:
        def step(done: Reduced) -> torch.Tensor:
            gradients, reduced = bucket.buffer(), done.value()
            if reduced.data_ptr() != gradients.data_ptr():
                gradients.copy_(reduced)
            for parameter, gradient in zip(bucket.parameters(), bucket.gradients(), strict=True):
                optimizer.step_param(parameter, gradient)
            return gradients

        return hook(state, bucket).then(step)

    hook_and_step.settings = optimizer.defaults  # type: ignore[attr-defined]
    return hook_and_step


# ---- by name ----

_BY_NAME: dict[str, Callable[[dist.ProcessGroup | None], tuple[Any, Hook]]] = {
    "bfloat16": lambda group: (group, bfloat16),
    "float16": lambda group: (group, float16),
    "int8": lambda group: (Int8(group), int8),
    "int8_stochastic": lambda group: (Int8(group, stochastic=True), int8),
    "topk": lambda group: (TopK(group=group), top_k),
}


def from_compression(compression: str | Int8 | TopK | Hook, group: dist.ProcessGroup | None = None) -> tuple[Any, Hook]:
    """The arguments of ``register_comm_hook`` for what a user calls a compression.

    Args:
        compression: "bfloat16", "float16", "int8", "int8_stochastic" or "topk"; an :class:`Int8` or :class:`TopK`,
            which has a group of its own; or a hook, whose state is then the group.
        group: the model's process group; by default the default group.

    Returns:
        State and hook. The state is that of one model.

    Raises:
        ValueError: the name is not known.
        TypeError: it is none of these.
    """
    if isinstance(compression, str):
        if compression not in _BY_NAME:
            raise ValueError(f"compression={compression!r} is not known; expected one of: {', '.join(_BY_NAME)}")
        return _BY_NAME[compression](group)
    if isinstance(compression, Int8):
        return compression, int8
    if isinstance(compression, TopK):
        return compression, top_k
    if not callable(compression):
        raise TypeError(f"compression={compression!r}: expected a name, a state of allred.hooks, or a hook")
    return group, compression
