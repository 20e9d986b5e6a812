"""An optimizer whose gradients are the mean or sum of all ranks'."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from itertools import chain, pairwise
from typing import Any, TypeAlias

import torch

from allred.errors import InvalidArgumentError
from allred.horovod.adasum_optimizer import AdasumOptimizer
from allred.horovod.allreduce import Reduction
from allred.horovod.compression import Compression, Compressor
from allred.horovod.gradients import GradientReducer, Named, make_buckets
from allred.horovod.lane import checked
from allred.horovod.operators import Adasum, Average, ReduceOp, Sum
from allred.horovod.process_sets import ProcessSet, global_process_set

Groups: TypeAlias = int | Sequence[Sequence[torch.nn.Parameter]] | None


class ReducingOptimizer:
    """What a DistributedOptimizer has over the optimizer that it is made of, whose class is the next of its bases."""

    _reducer: GradientReducer | None  # None where there is nobody to reduce with
    _has_synchronized: bool
    _synchronizes_in_step: bool

    def synchronize(self) -> None:
        """Waits until all gradients are reduced, such as to clip them.

        Raises:
            MismatchError: the ranks' parameters differ.
            PeerLostError: a peer is gone.
        """
        if self._reducer is not None:
            self._reducer.synchronize()
        self._has_synchronized = True

    @contextmanager
    def skip_synchronize(self) -> Iterator[None]:
        """A context in which ``step()`` takes the gradients as they are, after ``synchronize()``."""
        self._synchronizes_in_step = False
        try:
            yield
        finally:
            self._synchronizes_in_step = True

    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """Waits for the gradients, and takes a step with them; with a closure, whenever that has computed them."""
        if self._synchronizes_in_step and closure is None:
            if self._has_synchronized:
                warnings.warn(
                    "step() reduces the gradients again, after synchronize(): call it inside "
                    "`with optimizer.skip_synchronize():`",
                    stacklevel=2,
                )
            self.synchronize()
        self._has_synchronized = False
        given = closure if closure is None or not self._synchronizes_in_step else self._reducing(closure)
        return super().step(given)  # type: ignore[misc]  # of the optimizer's class

    # torch gives hooks to the step of a class that has none; those of the optimizer's own class are enough.
    step.hooked = True  # type: ignore[attr-defined]

    def zero_grad(self, set_to_none: bool = True) -> None:
        """As torch's.

        Raises:
            AssertionError: gradients are on their way, and would be lost.
        """
        if self._reducer is not None and self._reducer.is_pending:
            raise AssertionError(
                "zero_grad() after backward() and before step() or synchronize(): the gradients are on their way "
                "between the ranks, and would be lost"
            )
        super().zero_grad(set_to_none)  # type: ignore[misc]

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """As torch's; what has arrived of gradients is forgotten."""
        if self._reducer is not None:
            self._reducer.reset()
        self._has_synchronized, self._synchronizes_in_step = False, True
        super().load_state_dict(state_dict)  # type: ignore[misc]

    def set_backward_passes_per_step(self, passes: int) -> None:
        """Changes how many backward passes add to a gradient before it is reduced. To be called between steps."""
        if self._reducer is not None:
            self._reducer.num_passes = _checked_passes(passes)
            self._reducer.reset()

    def _reducing(self, closure: Callable[[], Any]) -> Callable[[], Any]:
        def reduced() -> Any:
            loss = closure()
            self.synchronize()
            return loss

        return reduced


def DistributedOptimizer(  # noqa: N802  # Horovod's name
    optimizer: torch.optim.Optimizer,
    named_parameters: Iterable[Named] | None = None,
    compression: type[Compressor] = Compression.none,
    backward_passes_per_step: int = 1,
    op: ReduceOp = Average,
    gradient_predivide_factor: float = 1.0,
    num_groups: int = 0,
    groups: Groups = None,
    sparse_as_dense: bool = False,
    process_set: ProcessSet = global_process_set,
) -> Any:
    """The optimizer, with gradients that are reduced over all ranks during the backward pass.

    Collective over the process set: all ranks make it, for the same parameters in the same order. What has to do with
    its gradients does not count among the program's own calls, so these may come in between.

    Args:
        optimizer: whose class, parameter groups, state and attributes the result has, as its own.
        named_parameters: ``model.named_parameters()``; names are for errors. All of the optimizer's are among them.
        compression: what travels in the place of gradients.
        backward_passes_per_step: how many backward passes add to a gradient before it is reduced.
        op: Average, Sum, or Adasum, which combines what the ranks' own steps would change.
        gradient_predivide_factor: splits the division of an average in Horovod. Here sums of narrow floats are taken
            in float32 and divided before they are rounded: any positive number gives the same average.
        num_groups: if not 0, puts the parameters into so many groups, each of which is reduced as one.
        groups: the same, or lists of the parameters of each group; other parameters are put together as they come.
        sparse_as_dense: reduces sparse gradients as dense ones, which they become.
        process_set: the ranks that take part. On others the optimizer steps alone.

    Returns:
        An optimizer, an instance of `optimizer`'s class, with ``synchronize()`` and ``skip_synchronize()``.

    Raises:
        ValueError: a parameter of the optimizer is not named, two have one name, or an argument is out of range.
        UnsupportedError: op is Adasum and the number of ranks is no power of two, or a parameter is not in CPU memory.
    """
    parameters = _named(optimizer, named_parameters)
    _checked_passes(backward_passes_per_step)
    if op not in (Average, Sum, Adasum):
        raise InvalidArgumentError(f"op={op}: expected Average, Sum or Adasum")
    if gradient_predivide_factor <= 0 or (gradient_predivide_factor != 1.0 and op is not Average):
        raise InvalidArgumentError(
            f"gradient_predivide_factor={gradient_predivide_factor} with op={op.name}: expected a positive number with "
            "Average, 1.0 with others"
        )
    is_alone = process_set.size() == 1 or not process_set.included()
    how = Reduction(op, process_set=process_set)
    for _, parameter in parameters:
        how.check(parameter.dtype)
    extension = AdasumOptimizer if op is Adasum and not is_alone else ReducingOptimizer
    extended = _extended(optimizer, extension)
    if extension is AdasumOptimizer:
        extended._begin(parameters, how, compression)
        return extended
    extended._has_synchronized, extended._synchronizes_in_step, extended._reducer = False, True, None
    divided = _checked_groups(parameters, num_groups if groups is None else groups)
    if not is_alone:
        buckets = make_buckets(process_set.gradients, parameters, divided, how, compression)
        extended._reducer = GradientReducer(buckets, backward_passes_per_step, sparse_as_dense)
    return extended


def _extended(optimizer: torch.optim.Optimizer, extension: type) -> Any:
    """The optimizer as an instance of a class that is both its own and `extension`, and shares all it has."""
    own = type(optimizer)
    extended: Any = object.__new__(type(own.__name__, (extension, own), {}))
    # A scheduler may have put a step of its own on the optimizer, which would lead past the extension.
    extended.__dict__.update({name: value for name, value in optimizer.__dict__.items() if name != "step"})
    return extended


def _named(optimizer: torch.optim.Optimizer, named_parameters: Iterable[Named] | None) -> list[Named]:
    """The optimizer's parameters that need a gradient, with their names."""
    own = list(chain.from_iterable(group["params"] for group in optimizer.param_groups))
    if named_parameters is None:
        given = [(f"allreduce.noname.{idx}", parameter) for idx, parameter in enumerate(own)]
    else:
        given = list(named_parameters)
    if any(not isinstance(each, tuple) or len(each) != 2 for each in given):
        raise ValueError("named_parameters: expected tuples of a name and a parameter, as of model.named_parameters()")
    names = [name for name, _ in given]
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise ValueError(f"named_parameters: these names stand for more than one parameter: {', '.join(twice)}")
    known = {id(parameter): name for name, parameter in given}
    unnamed = [idx for idx, parameter in enumerate(own) if id(parameter) not in known]
    if unnamed:
        raise ValueError(f"named_parameters: the optimizer's parameters {unnamed} are not among them")
    for parameter in own:
        checked(parameter, f"DistributedOptimizer: {known[id(parameter)]}")
    return [(known[id(parameter)], parameter) for parameter in own if parameter.requires_grad]


def _checked_passes(passes: int) -> int:
    if passes < 1:
        raise InvalidArgumentError(f"backward_passes_per_step={passes}: expected at least 1")
    return passes


def _checked_groups(parameters: Sequence[Named], groups: Groups) -> list[list[int]]:
    """The indices of the parameters in each group."""
    if groups is None or isinstance(groups, int):
        num_groups = groups or 0
        if num_groups < 0:
            raise InvalidArgumentError(f"groups={num_groups}: expected no negative number")
        bounds = [len(parameters) * number // max(num_groups, 1) for number in range(num_groups + 1)]
        spans = pairwise(bounds)
        return [list(range(begin, end)) for begin, end in spans if begin < end]
    places = {id(parameter): idx for idx, (_, parameter) in enumerate(parameters)}
    idxs = [[places.get(id(parameter), -1) for parameter in group] for group in groups]
    flat = list(chain.from_iterable(idxs))
    if -1 in flat or len(set(flat)) < len(flat):
        raise InvalidArgumentError(
            "groups: expected the optimizer's parameters that need a gradient, each at most once"
        )
    return [group for group in idxs if group]
