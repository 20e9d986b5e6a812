"""Rank 1 dies between finding its peers and sharing memory with them; the others say how their start failed."""

from __future__ import annotations

import os
import signal

from start import FolderBootstrap, communicator, say_error

import allred

if os.environ["RANKS_RANK"] == "1":
    exchange = FolderBootstrap.all_gather

    def exchange_and_die(self: FolderBootstrap, blob: bytes) -> list[bytes]:
        exchange(self, blob)
        os.kill(os.getpid(), signal.SIGKILL)
        return []

    FolderBootstrap.all_gather = exchange_and_die  # type: ignore[method-assign]

try:
    communicator(timeout=1.5)
except allred.Error as error:
    say_error(error)
