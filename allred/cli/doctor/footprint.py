"""The shared memory that a communicator takes: as its layout has it, and as the kernel counts it."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np

import allred
from allred import _core
from allred.cli.doctor.check import OK, PROBLEM, WARNING, Check, Sources, format_bytes
from allred.config import Config
from allred.errors import Error

SMALL_LIMIT = 256 << 10  # a rank that exchanges small messages only
BUSY_LIMIT = 8 << 20

_RANKS = 2
_BLOCK_BYTES = 512  # of st_blocks
_CALLS = 30  # so many use all mailboxes
_MAILBOX = 1 << 14  # float32 that fill one
_MESSAGES = 80  # so many, of which each fills a frame, go all the way round a channel
_FRAME = 8000  # float32


@dataclass(frozen=True)
class Footprint:
    """Bytes of shared memory a rank.

    Attributes:
        small: with small messages only.
        busy: with large collectives, and large messages to every other rank.
    """

    small: float
    busy: float


def computed(ranks: int, staging_bytes: int) -> Footprint:
    """What the layout makes of it."""
    parts = _core.shared_memory_bytes(ranks, staging_bytes)
    channels = (ranks - 1) * parts["channel"]
    large = parts["mailboxes"] + parts["staging"]
    return Footprint(parts["start"], parts["start"] + large + parts["messages"] + channels)


def measured(config: Config) -> Footprint:
    """What the kernel counts for a communicator of two threads, after use. Blocks for some milliseconds."""
    before = _memory_files()

    def use(communicator: allred.Communicator) -> Footprint:
        for _ in range(_CALLS):
            communicator.all_reduce(np.zeros(256, np.float32))
        communicator.barrier()
        small = _reserved(before)
        communicator.barrier()
        large = np.zeros(2 << 20, np.float32)
        for _ in range(_CALLS):
            communicator.all_reduce(large[:_MAILBOX])  # in mailboxes that are answered in
            communicator.all_gather(large[:_MAILBOX])
        communicator.all_reduce(large)
        communicator.all_gather(large[: 1 << 18])
        communicator.all_to_all(large.reshape(_RANKS, -1))
        peer = 1 - communicator.rank
        for message in (large, *[large[:4]] * _MESSAGES, *[large[:_FRAME]] * _MESSAGES):
            sent = communicator.send(message, peer, async_op=True)
            communicator.recv(np.empty_like(message), peer)
            sent.wait()
        communicator.barrier()
        busy = _reserved(before)
        communicator.barrier()
        return Footprint(small / _RANKS, busy / _RANKS)

    settings = {"staging_bytes": config.staging_bytes, "timeout": 60.0, "tuning": "off", "all_reduce_algorithm": "auto"}
    return allred.run_threads(use, _RANKS, **settings)[0]


def footprint(sources: Sources) -> Check:
    """Both, beside what they may be at most."""
    name = "shared memory of a communicator"
    try:
        config = Config.from_environment()
        plan, used = computed(_RANKS, config.staging_bytes), measured(config)
    except (Error, OSError) as error:
        return Check(name, PROBLEM, f"two threads of this process cannot communicate: {error}", "see the other checks")
    return judge(name, plan, used)


def judge(name: str, plan: Footprint, used: Footprint) -> Check:
    """Whether all figures are within their limits."""
    found = (
        f"a rank of {_RANKS}: with small messages only {_both(plan.small, used.small)}, {format_bytes(SMALL_LIMIT)} "
        f"allowed; busy {_both(plan.busy, used.busy)}, {format_bytes(BUSY_LIMIT)} allowed"
    )
    if max(plan.small, used.small) <= SMALL_LIMIT and max(plan.busy, used.busy) <= BUSY_LIMIT:
        return Check(name, OK, found)
    return Check(name, WARNING, found, "set ALLRED_STAGING_BYTES lower")


def _both(plan: float, used: float) -> str:
    return f"{format_bytes(plan)} by layout, {format_bytes(used)} by the kernel's count"


def _memory_files() -> set[int]:
    """The inodes of allred's shared memory in this process."""
    return {status.st_ino for status in _statuses()}


def _reserved(known: set[int]) -> int:
    """Bytes backed by pages in the shared memory that was made since `known`."""
    sizes = {status.st_ino: status.st_blocks * _BLOCK_BYTES for status in _statuses()}
    return sum(size for inode, size in sizes.items() if inode not in known)


def _statuses() -> list[os.stat_result]:
    found = []
    for entry in Path("/proc/self/fd").iterdir():
        try:
            if str(entry.readlink()).startswith("/memfd:allred "):
                found.append(entry.stat())
        except FileNotFoundError:  # closed meanwhile
            continue
    return found
