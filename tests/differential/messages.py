"""Messages between two ranks."""

from __future__ import annotations

from random import Random
from typing import Any

import torch
from differential.caller import Caller, Issued
from differential.program import Message


def send_recv(me: Caller) -> Issued:
    """Blocking, so all ranks go through the messages in the same order."""
    outputs = []
    for slot, message in enumerate(me.call.messages):
        if me.rank == message.source:
            me.api.send(me.movable(me.bits(message.shape, slot)), _destination(me, message), me.group, message.tag)
        elif me.rank == message.destination:
            outputs.append(me.blank(message.shape, slot))
            sender = me.api.recv(me.movable(outputs[-1]), me.ranks[message.source], me.group, message.tag)
            outputs.append(sender)
    return Issued([], outputs)


def isend_irecv(me: Caller) -> Issued:
    plan = _plan(me)
    works = [call(me.movable(tensor), peer, me.group, tag) for call, tensor, peer, tag in plan]
    return _finish(me, Issued(works, [tensor for _, tensor, _, _ in plan]))


def batch_isend_irecv(me: Caller) -> Issued:
    plan = _plan(me)
    batch = [me.api.P2POp(call, me.movable(tensor), peer, me.group, tag) for call, tensor, peer, tag in plan]
    works = me.api.batch_isend_irecv(batch) if batch else []
    return _finish(me, Issued(works, [tensor for _, tensor, _, _ in plan]))


def recv_any_source(me: Caller) -> Issued:
    """Which message comes first is not defined, so what arrived is put into the order of the senders."""
    arrived: list[tuple[int, torch.Tensor]] = []
    for slot, message in enumerate(me.call.messages):
        if me.rank == message.source:
            me.api.send(me.movable(me.bits(message.shape, slot)), _destination(me, message), me.group, message.tag)
        elif me.rank == message.destination:
            tensor = me.blank(message.shape, slot)
            arrived.append((me.api.recv(me.movable(tensor), None, me.group, message.tag), tensor))
    arrived.sort(key=lambda each: each[0])
    return Issued([], [value for each in arrived for value in each])


def _plan(me: Caller) -> list[tuple[Any, torch.Tensor, int, int]]:
    """This rank's calls, in an order of its own in which messages between two ranks with one tag keep theirs."""
    rng = Random(f"{me.seed} {me.step} {me.rank}")
    turns: dict[tuple[bool, int, int], float] = {}
    plan = []
    for slot, message in enumerate(me.call.messages):
        if me.rank not in (message.source, message.destination):
            continue
        sends = me.rank == message.source
        peer = me.ranks[message.destination if sends else message.source]
        tensor = me.bits(message.shape, slot) if sends else me.blank(message.shape, slot)
        turn = turns.setdefault((sends, peer, message.tag), rng.random())
        plan.append((turn, (me.api.isend if sends else me.api.irecv, tensor, peer, message.tag)))
    plan.sort(key=lambda each: each[0])
    return [each for _, each in plan]


def _finish(me: Caller, exchange: Issued) -> Issued:
    """These calls have no synchronous form: they are waited for at once instead."""
    if not me.call.asynchronous:
        for work in exchange.works:
            work.wait()
        exchange.works = []
    return exchange


def _destination(me: Caller, message: Message) -> int:
    return me.ranks[message.destination]
