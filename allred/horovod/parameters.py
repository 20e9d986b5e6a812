"""Models and optimizers that begin alike on all ranks."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple

import torch

from allred.errors import InvalidArgumentError, MismatchError
from allred.horovod.broadcast import broadcast_async_
from allred.horovod.objects import allgather_object, broadcast_object
from allred.horovod.process_sets import ProcessSet, global_process_set

Parameters = Mapping[str, Any] | Iterable[Any]


def broadcast_parameters(params: Parameters, root_rank: int = 0, process_set: ProcessSet = global_process_set) -> None:
    """Gives all ranks the root's values of a model's parameters, or of whatever tensors.

    Args:
        params: ``model.state_dict()``, ``model.named_parameters()``, or tensors. What is no tensor stays as it is.
        root_rank: the rank of the job whose values they get.
        process_set: the ranks that take part, of which the root is one.

    Raises:
        MismatchError: on all ranks: names, shapes or dtypes of one differ from the root's; nothing is changed.
        UnsupportedError: a tensor is not in CPU memory or is sparse.
    """
    with process_set.calls.refusing(1):
        named = [(name, tensor.detach()) for name, tensor in _named(params) if isinstance(tensor, torch.Tensor)]
        root = process_set.place_of(root_rank)
    described = allgather_object([(name, tuple(each.shape), each.dtype) for name, each in named], None, process_set)
    for rank, description in enumerate(described):
        _compare(described[root], root, description, rank)
    handles = []
    for _, tensor in named:
        sent = tensor.contiguous()
        handles.append((tensor, sent, broadcast_async_(sent, root_rank, None, process_set)))
    for tensor, sent, handle in handles:
        handle.wait()
        if sent is not tensor:
            tensor.copy_(sent)


def _named(params: Parameters) -> list[tuple[str, Any]]:
    if isinstance(params, Mapping):
        return sorted(params.items())
    if isinstance(params, torch.Tensor) or not isinstance(params, Iterable):
        kind = type(params).__name__
        raise InvalidArgumentError(f"params is {kind}, expected a state_dict, named_parameters() or a list of tensors")
    return [each if isinstance(each, tuple) else (str(idx), each) for idx, each in enumerate(params)]


def _compare(expected: list[Any], root: int, found: list[Any], rank: int) -> None:
    if len(expected) != len(found):
        raise MismatchError(f"rank {root} has {len(expected)} tensors, and rank {rank} has {len(found)}", rank=rank)
    for (name, shape, dtype), (other_name, other_shape, other_dtype) in zip(expected, found, strict=True):
        if (name, shape, dtype) != (other_name, other_shape, other_dtype):
            raise MismatchError(
                f"rank {root} has {name!r} of shape {shape} and {dtype}, where rank {rank} has {other_name!r} of shape "
                f"{other_shape} and {other_dtype}",
                rank=rank,
            )


class _Place(NamedTuple):
    """Stands for a tensor that travels apart from the rest."""

    shape: tuple[int, ...]
    dtype: torch.dtype


def broadcast_optimizer_state(
    optimizer: torch.optim.Optimizer, root_rank: int = 0, process_set: ProcessSet = global_process_set
) -> None:
    """Gives all ranks the root's state of an optimizer: step counts, moments, learning rates.

    The ranks' own state may be empty, as that of a new optimizer is, or of another form: it is replaced.

    Args:
        optimizer: any of torch's, or a DistributedOptimizer.
        root_rank: the rank of the job whose state they get.
        process_set: the ranks that take part, of which the root is one.

    Raises:
        ValueError: the root's parameter groups do not fit this rank's, in number or in size.
        MismatchError: the ranks called different things.
    """
    is_root = process_set.place_of(root_rank) == process_set.rank()
    tensors: list[torch.Tensor] = []
    form = _mapped(optimizer.state_dict(), lambda leaf: _removed(leaf, tensors)) if is_root else None
    form = broadcast_object(form, root_rank, None, process_set)
    if not is_root:
        _mapped(form, lambda leaf: _restored(leaf, tensors))
    for handle in [broadcast_async_(tensor, root_rank, None, process_set) for tensor in tensors]:
        handle.wait()
    if not is_root:
        remaining = iter(tensors)
        optimizer.load_state_dict(_mapped(form, lambda leaf: next(remaining) if isinstance(leaf, _Place) else leaf))


def _mapped(tree: Any, change: Callable[[Any], Any]) -> Any:
    """The tree of dictionaries, lists and tuples with each leaf changed, in an order that the tree alone decides."""
    if isinstance(tree, dict):
        return {key: _mapped(value, change) for key, value in tree.items()}
    if type(tree) in (list, tuple):
        return type(tree)(_mapped(value, change) for value in tree)
    return change(tree)


def _removed(leaf: Any, tensors: list[torch.Tensor]) -> Any:
    """The leaf, or what stands for it if it is a tensor, which goes to the list."""
    if not isinstance(leaf, torch.Tensor):
        return leaf
    tensors.append(leaf.detach().contiguous())
    return _Place(tuple(leaf.shape), leaf.dtype)


def _restored(leaf: Any, tensors: list[torch.Tensor]) -> None:
    """Adds memory to the list for a tensor that has been removed."""
    if isinstance(leaf, _Place):
        tensors.append(torch.empty(leaf.shape, dtype=leaf.dtype))
