"""Programs as data: which group makes which call, and when the asynchronous ones are waited for."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TypeAlias

Shape: TypeAlias = tuple[int, ...]


@dataclass(frozen=True)
class Message:
    """`source` and `destination` are ranks of the group."""

    source: int
    destination: int
    tag: int
    shape: Shape

    def __str__(self) -> str:
        return f"{self.source}->{self.destination} tag {self.tag} {self.shape}"


@dataclass(frozen=True)
class Call:
    """One collective call by all ranks of a group, or the calls with which they exchange messages."""

    kind: str
    group: int  # which of the program's groups
    asynchronous: bool = False
    dtype: str = ""
    op: str = ""
    root: int = 0  # a rank of the group
    shapes: tuple[Shape, ...] = ()  # of one rank's block; several where a call takes several tensors
    stacked: bool = False  # blocks along a new first dimension, instead of along that of the block
    splits: tuple[tuple[int, ...], ...] = ()  # splits[i][j]: how many rows rank i has for rank j
    messages: tuple[Message, ...] = ()
    strided: bool = False  # tensors are laid out as each rank's values say, not one dense piece of memory

    @property
    def shape(self) -> Shape:
        return self.shapes[0]

    def __str__(self) -> str:
        said = [f"{each.name}={_text(value)}" for each in fields(self)[2:] if (value := getattr(self, each.name))]
        return f"{self.kind} on group {self.group} " + " ".join(said)


def _text(value: object) -> str:
    return "[" + ", ".join(map(str, value)) + "]" if isinstance(value, tuple) else str(value)


@dataclass(frozen=True)
class Wait:
    """Waits for the call that is the program's step number `step`."""

    step: int

    def __str__(self) -> str:
        return f"wait for step {self.step}"


@dataclass(frozen=True)
class Program:
    """The same for all ranks: each carries out, in this order, the steps of the groups that it belongs to."""

    seed: int
    size: int
    groups: tuple[tuple[int, ...], ...]  # their ranks; the first is the world
    steps: tuple[Call | Wait, ...]

    def text(self, marked: int | None = None) -> str:
        """Line by line, with an arrow at the marked step."""
        lines = [f"program of seed {self.seed} on {self.size} ranks"]
        lines += [f"   group {number}: ranks {ranks}" for number, ranks in enumerate(self.groups)]
        lines += [f"{'->' if n == marked else '  '} {n:3} {step}" for n, step in enumerate(self.steps)]
        return "\n".join(lines)
