"""Collectives and messages of picklable objects. torch makes several calls on tensors of each."""

from __future__ import annotations

from typing import Any

from differential import inputs
from differential.caller import Caller, Issued

NUM_OBJECTS = 3


def all_gather_object(me: Caller) -> Issued:
    outputs: list[Any] = [None] * me.size
    me.api.all_gather_object(outputs, inputs.object_of(me.key()), me.group)
    return Issued([], outputs)


def broadcast_object_list(me: Caller) -> Issued:
    objects = _several(me, NUM_OBJECTS) if me.is_root else [None] * NUM_OBJECTS
    me.api.broadcast_object_list(objects, me.root, me.group)
    return Issued([], objects)


def scatter_object_list(me: Caller) -> Issued:
    output: list[Any] = [None]
    me.api.scatter_object_list(output, _several(me, me.size) if me.is_root else None, me.root, me.group)
    return Issued([], output)


def gather_object(me: Caller) -> Issued:
    outputs: list[Any] | None = [None] * me.size if me.is_root else None
    me.api.gather_object(inputs.object_of(me.key()), outputs, me.root, me.group)
    return Issued([], outputs or [])


def send_object_list(me: Caller) -> Issued:
    """From the root to the rank after it."""
    receiver = (me.call.root + 1) % me.size
    if me.is_root:
        me.api.send_object_list(_several(me, NUM_OBJECTS), me.ranks[receiver], me.group)
    elif me.rank == receiver:
        objects: list[Any] = [None] * NUM_OBJECTS
        me.api.recv_object_list(objects, me.root, me.group)
        return Issued([], objects)
    return Issued()


def _several(me: Caller, count: int) -> list[Any]:
    return [inputs.object_of(me.key(slot)) for slot in range(count)]
