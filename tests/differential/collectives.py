"""The collectives on tensors. Each function makes the tensors of one rank and the call."""

from __future__ import annotations

from typing import Any

import torch
from differential import inputs
from differential.caller import Caller, Issued
from differential.program import Shape


def issued(work: Any, *outputs: Any) -> Issued:
    return Issued([] if work is None else [work], list(outputs))


def all_reduce(me: Caller) -> Issued:
    tensor = me.operand(me.call.shape)
    return issued(me.api.all_reduce(tensor, me.op, **me.how), tensor)


def all_reduce_coalesced(me: Caller) -> Issued:
    tensors = [me.operand(shape, slot) for slot, shape in enumerate(me.call.shapes)]
    return issued(me.api.all_reduce_coalesced(tensors, me.op, **me.how), *tensors)


def all_reduce_sparse(me: Caller) -> Issued:
    tensor = inputs.sparse_operand(me.call.shape, me.dtype, me.key())
    return issued(me.api.all_reduce(tensor, me.op, **me.how), tensor)


def reduce(me: Caller) -> Issued:
    tensor = me.operand(me.call.shape)
    work = me.api.reduce(tensor, me.root, me.op, **me.how)
    return issued(work, *([tensor] if me.is_root else []))  # elsewhere it is undefined


def reduce_scatter(me: Caller) -> Issued:
    blocks = [me.operand(me.call.shape, slot) for slot in range(me.size)]
    output = me.blank(me.call.shape)
    return issued(me.api.reduce_scatter(output, blocks, me.op, **me.how), output)


def reduce_scatter_tensor(me: Caller) -> Issued:
    blocks = [me.operand(me.call.shape, slot) for slot in range(me.size)]
    output = me.blank(me.call.shape)
    whole = me.place(torch.stack(blocks) if me.call.stacked else torch.cat(blocks), slot=me.size)
    return issued(me.api.reduce_scatter_tensor(me.blocks(output), me.blocks(whole), me.op, **me.how), output)


def broadcast(me: Caller) -> Issued:
    tensor = me.bits(me.call.shape) if me.is_root else me.blank(me.call.shape)
    return issued(me.api.broadcast(me.movable(tensor), me.root, **me.how), tensor)


def all_gather(me: Caller) -> Issued:
    block = me.bits(me.call.shape)
    outputs = [me.blank(me.call.shape, slot) for slot in range(me.size)]
    return issued(me.api.all_gather(_all(me, outputs), me.movable(block), **me.how), *outputs, block)


def all_gather_into_tensor(me: Caller) -> Issued:
    shape = me.call.shape
    output = me.blank((me.size, *shape) if me.call.stacked else (me.size * shape[0], *shape[1:]))
    block = me.bits(shape)
    given = me.movable(me.blocks(output)), me.movable(me.blocks(block))
    return issued(me.api.all_gather_into_tensor(*given, **me.how), output, block)


def gather(me: Caller) -> Issued:
    block = me.bits(me.call.shape)
    outputs = [me.blank(me.call.shape, slot) for slot in range(me.size)] if me.is_root else []
    work = me.api.gather(me.movable(block), _all(me, outputs) or None, me.root, **me.how)
    return issued(work, *outputs, block)


def scatter(me: Caller) -> Issued:
    blocks = [me.bits(me.call.shape, slot) for slot in range(me.size)] if me.is_root else []
    output = me.blank(me.call.shape)
    work = me.api.scatter(me.movable(output), _all(me, blocks) or None, me.root, **me.how)
    return issued(work, output, *blocks)


def all_to_all(me: Caller) -> Issued:
    sent, received = _rows(me)
    blocks = [me.bits(_with_rows(me, rows), slot) for slot, rows in enumerate(sent)]
    if me.for_gloo and me.call.splits:  # Gloo's lists are of blocks of one size
        output = me.blank(_with_rows(me, sum(received)))
        work = me.api.all_to_all_single(me.movable(output), me.movable(torch.cat(blocks)), received, sent, **me.how)
        return issued(work, *output.split(received), *blocks)
    outputs = [me.blank(_with_rows(me, rows), slot) for slot, rows in enumerate(received)]
    return issued(me.api.all_to_all(_all(me, outputs), _all(me, blocks), **me.how), *outputs, *blocks)


def all_to_all_single(me: Caller) -> Issued:
    sent, received = _rows(me)
    whole = me.bits(_with_rows(me, sum(sent)))
    output = me.blank(_with_rows(me, sum(received)))
    splits = (received, sent) if me.call.splits else (None, None)
    return issued(me.api.all_to_all_single(me.movable(output), me.movable(whole), *splits, **me.how), output, whole)


def barrier(me: Caller) -> Issued:
    return issued(me.api.barrier(**me.how))


def _all(me: Caller, tensors: list[torch.Tensor]) -> list[torch.Tensor]:
    return [me.movable(tensor) for tensor in tensors]


def _rows(me: Caller) -> tuple[list[int], list[int]]:
    """For each peer, how many rows go to it and how many come from it."""
    if not me.call.splits:
        return [me.call.shape[0]] * me.size, [me.call.shape[0]] * me.size
    return list(me.call.splits[me.rank]), [row[me.rank] for row in me.call.splits]


def _with_rows(me: Caller, rows: int) -> Shape:
    return (rows, *me.call.shape[1:])
