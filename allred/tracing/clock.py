"""The clock by which a rank counts, and how far it is from another rank's."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path

_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")


@dataclass(frozen=True)
class Clock:
    """CLOCK_MONOTONIC of a host, which all its processes share.

    Attributes:
        boot: tells a host that has started from all others.
        epoch_ns: the time of day at which it showed zero, in nanoseconds since 1970. By that the clocks of different
            hosts are brought together, as well as their times of day agree.
    """

    boot: str
    epoch_ns: int

    @classmethod
    def here(cls) -> Clock:
        """This host's."""
        return cls(_BOOT_ID.read_text().strip(), time.time_ns() - time.monotonic_ns())

    def shift_to(self, other: Clock) -> int:
        """What is to be added to a time on this clock, in nanoseconds, to have it on the other."""
        return 0 if self.boot == other.boot else self.epoch_ns - other.epoch_ns
