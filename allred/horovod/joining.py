"""join(): a rank that has run out of data lets the others go on."""

from __future__ import annotations

import threading
import time

from allred.errors import AbortedError, MismatchError, PeerLostError, TimeoutError
from allred.horovod.job import job
from allred.horovod.lane import Lane
from allred.horovod.process_sets import global_process_set
from allred.horovod.roll_call import JOINED, Entry, RollCall, take_part

_LONGEST = 1e9  # seconds; the most that a call can be given
_GLANCE = 0.5  # seconds between two looks at whether anybody still calls anything


def join(device: int = -1) -> int:
    """Tells the other ranks to go on without this one, and waits until all ranks have joined.

    Until then this rank takes part in the allreduce calls of the others, those of their optimizers included, with
    nothing to add: zeros to a sum. An average still divides by the number of all ranks. Any other call, of a rank that
    has not joined, raises UnsupportedError there. Calls on process sets other than the whole job's wait for this rank.

    Args:
        device: of no meaning, as there is CPU memory alone.

    Returns:
        The rank that joined last, the same on all ranks: that which has made the most calls since all last joined, and
        of those that have made as many the highest.

    Raises:
        TimeoutError: no rank called anything for as long as a call may take.
        PeerLostError: a peer is gone.
    """
    lanes = global_process_set.open_lanes() or [global_process_set.calls]  # which says that there is no job
    shared = _Attendance(lanes, sum(lane.num_calls for lane in lanes))
    shared.start()
    last = shared.wait(job().communicator.config.timeout)
    for lane in lanes:
        lane.num_calls = 0
    return last


class _Attendance:
    """Takes part in what is called on several lanes, with a thread on each until all ranks have joined there."""

    def __init__(self, lanes: list[Lane], num_calls: int) -> None:
        self._lanes = lanes
        self._own = Entry(JOINED, length=num_calls)
        self._last_seen = time.monotonic()
        self._num_calls_of: list[int] = []
        self._errors: list[BaseException] = []
        self._threads = [threading.Thread(target=self._attend, args=(lane,), daemon=True) for lane in lanes]

    def start(self) -> None:
        for thread in self._threads:
            thread.start()

    def wait(self, timeout: float) -> int:
        """The last rank to join. `timeout` is how long there may be no call on any lane."""
        for thread in self._threads:
            while thread.is_alive():
                thread.join(_GLANCE)
                if not self._errors and time.monotonic() - self._last_seen > timeout:
                    self._fail(TimeoutError(f"join: no rank has called anything for {timeout:g} s"))
        causes = [error for error in self._errors if not isinstance(error, (AbortedError, PeerLostError))]
        for error in causes or self._errors:
            raise error
        return max(range(len(self._num_calls_of)), key=lambda rank: (self._num_calls_of[rank], rank))

    def _attend(self, lane: Lane) -> None:
        try:
            while True:
                roll = RollCall(lane.communicator, self._own, timeout=_LONGEST)
                self._last_seen = time.monotonic()
                entries = roll.entries()
                if all(entry.kind == JOINED for entry in entries):
                    self._num_calls_of = [entry.length for entry in entries]
                    return
                try:
                    take_part(lane.communicator, entries)
                except MismatchError:
                    continue  # the others disagree among themselves, and hear of it as well
        except BaseException as error:
            self._fail(error)

    def _fail(self, error: BaseException) -> None:
        self._errors.append(error)
        for lane in self._lanes:
            lane.communicator.abort(f"join: {error}")
