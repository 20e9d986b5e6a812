"""Barrier: no rank goes on before all have come."""

from __future__ import annotations

from allred.horovod.process_sets import ProcessSet, global_process_set
from allred.horovod.roll_call import BARRIER, Entry


def barrier(process_set: ProcessSet = global_process_set) -> None:
    """Waits until all ranks of the process set have called it.

    Raises:
        MismatchError: a rank called something else.
        UnsupportedError: a rank has joined.
        TimeoutError: a rank did not come in time.
    """
    process_set.calls.announce(Entry(BARRIER))
