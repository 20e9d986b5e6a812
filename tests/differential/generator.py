"""The program of a seed: pure, so that the seed is all that a failure needs to be reproduced."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from random import Random

import torch
from differential import kinds
from differential.program import Call, Message, Program, Shape, Wait

FAMILY = 50  # that many consecutive seeds have the same groups, since making groups takes longer than a program
MAX_BYTES = 300 << 10


def program(seed: int, size: int, among: Sequence[str] = tuple(kinds.ALL)) -> Program:
    groups = groups_of(seed // FAMILY, size)
    return Program(seed, size, groups, _Author(Random(f"program {seed} {size}"), groups, among).steps())


def groups_of(family: int, size: int) -> tuple[tuple[int, ...], ...]:
    """The world twice, and subsets of it that may overlap."""
    rng = Random(f"groups {family} {size}")
    world = tuple(range(size))
    subsets = [tuple(sorted(rng.sample(world, rng.randint(1, size)))) for _ in range(3)]
    return (world, world, *subsets)


class _Author:
    """Draws one program's steps."""

    def __init__(self, rng: Random, groups: Sequence[tuple[int, ...]], among: Sequence[str]) -> None:
        self._rng = rng
        self._groups = groups
        self._among = among

    def steps(self) -> tuple[Call | Wait, ...]:
        steps: list[Call | Wait] = []
        pending: list[int] = []
        for _ in range(self._rng.randint(3, 12)):
            call = self._call(len(steps))
            if call.asynchronous:
                pending.append(len(steps))
            steps.append(call)
            for step in self._rng.sample(pending, len(pending)):
                if self._chance(0.25):
                    pending.remove(step)
                    steps.append(Wait(step))
        return (*steps, *map(Wait, self._rng.sample(pending, len(pending))))

    def _call(self, step: int) -> Call:
        group = self._rng.randrange(len(self._groups))
        size = len(self._groups[group])
        among = [kind for kind in self._among if size > 1 or kind not in kinds.BETWEEN_RANKS] or ["barrier"]
        (kind,) = self._rng.choices(among, [kinds.ALL[each] for each in among])
        asynchronous = kind not in kinds.SYNCHRONOUS and self._chance(0.5)
        root = self._rng.randrange(size) if kind in kinds.ROOTED else 0
        if kind in kinds.REDUCING:
            return self._reduction(Call(kind, group, asynchronous, root=root))
        if kind in kinds.MOVING:
            return self._move(Call(kind, group, asynchronous, root=root), size)
        if kind in kinds.MESSAGES:
            return self._exchange(Call(kind, group, asynchronous, root=root), size, step)
        return Call(kind, group, asynchronous, root=root)

    def _reduction(self, call: Call) -> Call:
        dtype = self._rng.choice(kinds.REDUCED)
        op = self._rng.choice(kinds.ops(dtype))
        if call.kind == "all_reduce_sparse":  # Gloo has no other operator for it
            dtype, op = self._rng.choice(("float32", "float64", "int64")), "sum"
        num_tensors = self._rng.randint(1, 4) if call.kind == "all_reduce_coalesced" else 1
        shapes = tuple(self._shape(dtype) for _ in range(num_tensors))
        if call.kind == "all_reduce_sparse":
            shapes = ((self._rng.randint(1, 20), self._rng.randint(1, 9)),)
        stacked = call.kind == "reduce_scatter_tensor" and (shapes[0] == () or self._chance(0.3))
        strided = call.kind != "all_reduce_sparse" and self._chance(0.25)
        return replace(call, dtype=dtype, op=op, shapes=shapes, stacked=stacked, strided=strided)

    def _move(self, call: Call, size: int) -> Call:
        dtype = self._rng.choice(kinds.MOVED)
        shape = self._shape(dtype)
        splits: tuple[tuple[int, ...], ...] = ()
        if call.kind in ("all_to_all", "all_to_all_single"):
            shape = shape or (1,)
            if self._chance(0.6):
                splits = tuple(tuple(self._rng.choice((0, 1, 2, 3, 7)) for _ in range(size)) for _ in range(size))
                shape = (1, *shape[1:])
        stacked = call.kind == "all_gather_into_tensor" and (shape == () or self._chance(0.3))
        strided = self._chance(0.25)
        return replace(call, dtype=dtype, shapes=(shape,), splits=splits, stacked=stacked, strided=strided)

    def _exchange(self, call: Call, size: int, step: int) -> Call:
        dtype = self._rng.choice(kinds.MOVED)
        if call.kind == "recv_any_source":  # a tag of its own, so that no message of another call can be taken
            shape = self._shape(dtype)
            while 0 in shape:  # Gloo takes no message of zero elements from any source
                shape = self._shape(dtype)
            sources = [rank for rank in range(size) if rank != call.root]
            senders = [self._rng.choice(sources) for _ in range(self._rng.randint(1, 4))]
            messages = tuple(Message(sender, call.root, 100 + step, shape) for sender in senders)
        else:
            messages = tuple(self._message(size, dtype) for _ in range(self._rng.randint(1, 6)))
        return replace(call, dtype=dtype, messages=messages, strided=self._chance(0.25))

    def _message(self, size: int, dtype: str) -> Message:
        source, destination = self._rng.sample(range(size), 2)
        return Message(source, destination, self._rng.randrange(3), self._shape(dtype))

    def _shape(self, dtype: str) -> Shape:
        draw = self._rng.random()
        if draw < 0.07:
            return ()
        if draw < 0.14:
            return self._rng.choice(((0,), (3, 0), (0, 4)))
        if draw < 0.20:
            return (self._rng.randint(1, MAX_BYTES // getattr(torch, dtype).itemsize),)
        if draw < 0.60:
            return (self._rng.choice((1, 2, 3, 7, 16, 31, 33, 64, 127, 1000)),)
        return tuple(self._rng.randint(1, 7) for _ in range(self._rng.randint(2, 3)))

    def _chance(self, probability: float) -> bool:
        return self._rng.random() < probability
