"""What is measured, and by which candidates."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from typing import Any

from allred.cli.sizes import format_size

ONE_SHOT = "one_shot"
TWO_SHOT = "two_shot"

_ALWAYS = 1 << 40  # bytes; more than any message has


@dataclass(frozen=True)
class Candidate:
    """Numbers that make the selector take one algorithm wherever it can.

    Attributes:
        algorithm: its name.
        chunk: bytes a round of staging, where the algorithm has any.
    """

    algorithm: str
    chunk: int | None = None

    @property
    def name(self) -> str:
        """For tables."""
        return self.algorithm if self.chunk is None else f"{self.algorithm}/{format_size(self.chunk)}"

    @property
    def numbers(self) -> dict[str, int]:
        """What its communicator is tuned to."""
        one_shot = _ALWAYS if self.algorithm == ONE_SHOT else 0
        numbers = {"one_shot_bytes": one_shot, "one_shot_bytes_shared": one_shot}
        if self.chunk is not None:
            numbers |= dict.fromkeys(("chunk_bytes", "chunk_bytes_shared", "most_chunk_bytes"), self.chunk)
        return numbers


@dataclass(frozen=True, kw_only=True)
class Plan:
    """One run of the tuner; the same on all ranks.

    Attributes:
        ranks: how many.
        sizes: of messages, in bytes, ascending.
        chunks: sizes of a round of staging to try.
        blocks: turns of each candidate at each size.
        seconds: for how long each candidate is timed at each size.
        timeout: seconds a rank may wait for its peers.
    """

    ranks: int
    sizes: tuple[int, ...]
    chunks: tuple[int, ...] = field(default=tuple(1 << power for power in range(15, 21)))
    blocks: int = 9
    seconds: float = 0.05
    timeout: float = 60.0

    def candidates(self) -> list[Candidate]:
        """Those that take turns, in this order."""
        return [Candidate(ONE_SHOT), *(Candidate(TWO_SHOT, chunk) for chunk in self.chunks)]

    def to_json(self) -> str:
        """One line, for another process's command line."""
        return json.dumps(asdict(self))

    @staticmethod
    def from_json(text: str) -> Plan:
        """The plan that :meth:`to_json` wrote."""
        found: dict[str, Any] = json.loads(text)
        lists = {name: tuple(value) for name, value in found.items() if isinstance(value, list)}
        return Plan(**{**found, **lists})
