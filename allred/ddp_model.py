"""Do the ranks train the same model? Asked before a parameter is sent."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence

import torch
import torch.distributed as dist

_MOST_DIFFERENCES = 10  # of an error's text


def check_same_model(module: torch.nn.Module, group: dist.ProcessGroup) -> None:
    """Compares the models of all ranks. Collective; one small call where they agree.

    Raises:
        RuntimeError: names, shapes, dtypes or requires_grad differ. On all ranks, with the same list of differences
            from rank 0's model.
    """
    lines = _describe(module)
    text = json.dumps(lines).encode()
    own = torch.tensor([len(text), *_digest(text)], dtype=torch.int64)
    everyones = torch.empty((group.size(), own.numel()), dtype=torch.int64)
    dist.all_gather(list(everyones), own, group=group)
    if bool((everyones == everyones[0]).all()):
        return
    bytes_ = torch.zeros(int(everyones[:, 0].max()), dtype=torch.uint8)
    bytes_[: len(text)] = torch.frombuffer(bytearray(text), dtype=torch.uint8)
    texts = torch.empty((group.size(), bytes_.numel()), dtype=torch.uint8)
    dist.all_gather(list(texts), bytes_, group=group)
    models = [
        json.loads(bytes(row[: int(length)].tolist())) for row, length in zip(texts, everyones[:, 0], strict=True)
    ]
    found = differences(models)
    more = f"; and {len(found) - _MOST_DIFFERENCES} more" if len(found) > _MOST_DIFFERENCES else ""
    raise RuntimeError(
        "allred.DistributedDataParallel: the ranks' models differ, and nothing was sent: "
        + "; ".join(found[:_MOST_DIFFERENCES])
        + more
    )


def differences(models: Sequence[Sequence[tuple[str, str]]]) -> list[str]:
    """Where models differ from the first, in words. A model is a list of pairs of name and description."""
    found = []
    first = dict(models[0])
    for rank, pairs in enumerate(models[1:], start=1):
        other = dict(pairs)
        for name, description in first.items():
            if name not in other:
                found.append(f"rank {rank} has no {name}, which rank 0 has as {description}")
            elif other[name] != description:
                found.append(f"{name} is {description} on rank 0 and {other[name]} on rank {rank}")
        found += [
            f"rank 0 has no {name}, which rank {rank} has as {description}"
            for name, description in other.items()
            if name not in first
        ]
        if list(first) != list(other) and first.keys() == other.keys():
            found.append(f"rank {rank} has its parameters in another order than rank 0")
    return found


def _describe(module: torch.nn.Module) -> list[tuple[str, str]]:
    ignored = set(getattr(module, "_ddp_params_and_buffers_to_ignore", ()))
    return [
        (name, _describe_parameter(parameter))
        for name, parameter in module.named_parameters()
        if name not in ignored and not isinstance(parameter, torch.nn.parameter.UninitializedTensorMixin)
    ]


def _describe_parameter(parameter: torch.nn.Parameter) -> str:
    dtype = str(parameter.dtype).removeprefix("torch.")
    trained = "trained" if parameter.requires_grad else "frozen"
    return f"{dtype}{list(parameter.shape)}, {trained}"


def _digest(text: bytes) -> list[int]:
    digest = hashlib.sha256(text).digest()
    return [int.from_bytes(digest[start : start + 8], "little", signed=True) for start in range(0, len(digest), 8)]
