"""What the servers know of their workers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Status:
    """The workers and steps of all servers at one time.

    Attributes:
        steps: the number of updates of each server's shard, by the server's rank.
        live: the workers that all servers still have, in order.
        left: the workers that took leave of a server or push no more, in order.
        lost: the workers that a server lost, and what became of them.
    """

    steps: dict[int, int]
    live: list[int]
    left: list[int]
    lost: dict[int, str]


def merge(servers: list[int], answers: list[tuple[int, dict[str, Any]]]) -> Status:
    """One status of those of all servers: a worker that one of them has lost is lost."""
    lost = {rank: reason for _, facts in answers for rank, reason in facts["lost"]}
    left = {rank for _, facts in answers for rank in facts["left"]}
    live = set.intersection(*(set(facts["live"]) for _, facts in answers))
    steps = {server: step for server, (step, _) in zip(servers, answers, strict=True)}
    return Status(steps, sorted(live), sorted(left - lost.keys()), dict(sorted(lost.items())))
