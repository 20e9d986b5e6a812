"""A rank's records as events in Chrome's format: a thread for each stream of calls, for messages, and for marks."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from allred import _core
from allred.tracing.lanes import lanes
from allred.tracing.part import Event

STEP = "step"  # the name of the instants at which a step begins

_REDUCING = ("all_reduce", "reduce", "reduce_scatter")
_ROOTED = ("broadcast", "reduce", "gather", "scatter")

Record = _core.CallRecord | _core.WaitRecord | _core.MessageRecord | _core.MarkRecord


class Events:
    """The events of one rank, made of the records of its communicators. Threads are numbered as they come."""

    def __init__(self) -> None:
        self.list: list[Event] = []
        self._num_threads = 0

    def add_communicator(self, group: str, members: Sequence[int], records: Iterable[Record]) -> None:
        """What a communicator recorded.

        Args:
            group: its name.
            members: what its ranks are called in the job.
            records: in their order.
        """
        kept = list(records)
        streams = {each.stream for each in kept if isinstance(each, (_core.CallRecord, _core.WaitRecord))}
        for stream in sorted(streams):
            own = [each for each in kept if not isinstance(each, _core.MarkRecord) and _stream_of(each) == stream]
            self._add_stream(group if stream == 0 else f"{group}, callbacks {stream}", group, members, own)
        messages = [_message(group, members, each) for each in kept if isinstance(each, _core.MessageRecord)]
        self._add_rows(f"{group}, messages", messages)
        self._add_rows(f"{group}, marks", [_mark(each) for each in kept if isinstance(each, _core.MarkRecord)])

    def add_program(self, records: Iterable[Record], end: int) -> None:
        """What the program marked.

        Args:
            records: marks, among them the instants at which steps begin.
            end: of the last step.
        """
        kept = [each for each in records if isinstance(each, _core.MarkRecord)]
        steps = [each for each in kept if _is_step(each)]
        ends = [*(each.begin for each in steps[1:]), end]
        rows = [_step(step.index, step.begin, end) for step, end in zip(steps, ends, strict=False)]
        self._add_rows("steps", rows)
        self._add_rows("marks", [_mark(each) for each in kept if not _is_step(each)])

    def _add_stream(self, title: str, group: str, members: Sequence[int], records: Iterable[Record]) -> None:
        events: list[Event] = []
        queued: list[Event] = []
        waits: list[_core.WaitRecord] = []
        for record in records:
            if isinstance(record, _core.WaitRecord):
                waits.append(record)
            elif isinstance(record, _core.CallRecord):
                events += _call(group, members, record, waits)
                if record.submitted < record.started:
                    queued.append(_queued(group, record))
                waits = []
        events += [_wait(group, members, each) for each in waits]  # of a call that has not ended
        self._add_thread(title, events)
        self._add_rows(f"{title}, queued", queued)

    def _add_rows(self, title: str, events: list[Event]) -> None:
        """Events that may overlap, on as many threads as that takes."""
        rows: dict[int, list[Event]] = {}
        for event, lane in zip(events, lanes([(each["ts"], _end(each)) for each in events]), strict=True):
            rows.setdefault(lane, []).append(event)
        for lane, row in sorted(rows.items()):
            self._add_thread(title if lane == 0 else f"{title} ({lane + 1})", row)

    def _add_thread(self, title: str, events: list[Event]) -> None:
        if not events:
            return
        self._num_threads += 1
        thread = {"tid": self._num_threads}
        self.list.append({"name": "thread_name", "ph": "M", **thread, "args": {"name": title}})
        self.list.append({"name": "thread_sort_index", "ph": "M", **thread, "args": {"sort_index": self._num_threads}})
        # Of those that begin together, the outer first, as viewers want it.
        self.list += [{**each, **thread} for each in sorted(events, key=lambda each: (each["ts"], -_end(each)))]


def _stream_of(record: _core.CallRecord | _core.WaitRecord | _core.MessageRecord) -> int | None:
    return None if isinstance(record, _core.MessageRecord) else record.stream


def _is_step(mark: _core.MarkRecord) -> bool:
    return mark.name == STEP and mark.begin == mark.end


def _end(event: Event) -> int:
    return int(event["ts"] + event.get("dur", 0))


def _span(name: str, category: str, begin: int, end: int, args: dict[str, Any]) -> Event:
    return {"name": name, "cat": category, "ph": "X", "ts": begin, "dur": end - begin, "args": args}


def _call(group: str, members: Sequence[int], call: _core.CallRecord, waits: Sequence[_core.WaitRecord]) -> list[Event]:
    """The call, and within it the time until all ranks had entered, and its waits."""
    args: dict[str, Any] = {"group": group, "call": call.sequence, "bytes": call.bytes}
    if call.collective != "barrier":
        args["dtype"] = call.dtype
    if call.collective in _REDUCING:
        args["op"] = call.op
    if call.collective in _ROOTED:
        args["root"] = members[call.root] if 0 <= call.root < len(members) else call.root
    if call.algorithm != "auto":
        args["algorithm"] = call.algorithm
    if call.failed:
        args["failed"] = True
    args["queued_us"] = _microseconds(call.started - call.submitted)
    if call.entered is not None:
        args["entering_us"] = _microseconds(call.entered - call.started)
    args["waited_us"] = _microseconds(sum(each.end - each.begin for each in waits))
    args["waited_for_us"] = _waited_for(members, waits)
    events = [_span(call.collective, "call", call.started, call.done, args)]
    if call.entered is not None:
        events.append(_span("enter", "enter", call.started, call.entered, {"group": group, "call": call.sequence}))
    return events + [_wait(group, members, each, call.sequence) for each in waits]


def _waited_for(members: Sequence[int], waits: Sequence[_core.WaitRecord]) -> dict[str, float]:
    """Microseconds by rank, which in JSON is a text."""
    found: dict[str, int] = {}
    for wait in waits:
        if wait.peer >= 0:
            rank = str(members[wait.peer])
            found[rank] = found.get(rank, 0) + wait.end - wait.begin
    return {rank: _microseconds(nanoseconds) for rank, nanoseconds in found.items()}


def _wait(group: str, members: Sequence[int], wait: _core.WaitRecord, sequence: int | None = None) -> Event:
    args: dict[str, Any] = {"group": group}
    name = "wait"
    if sequence is not None:
        args["call"] = sequence
    if wait.peer >= 0:
        args["rank"] = members[wait.peer]
        name = f"wait for rank {args['rank']}"
    return _span(name, "wait", wait.begin, wait.end, {**args, "what": wait.what})


def _queued(group: str, call: _core.CallRecord) -> Event:
    return _span(call.collective, "queue", call.submitted, call.started, {"group": group, "call": call.sequence})


def _message(group: str, members: Sequence[int], message: _core.MessageRecord) -> Event:
    peer = members[message.peer] if message.peer >= 0 else None
    args = {"group": group, "peer": peer, "tag": message.tag, "bytes": message.bytes, "dtype": message.dtype}
    if message.failed:
        args["failed"] = True
    return _span("send" if message.is_send else "recv", "message", message.begin, message.end, args)


def _step(number: int, begin: int, end: int) -> Event:
    return _span(f"{STEP} {number}", STEP, begin, end, {STEP: number})


def _mark(mark: _core.MarkRecord) -> Event:
    args: dict[str, Any] = {}
    if mark.index >= 0:
        args["index"] = mark.index
    if mark.bytes:
        args["bytes"] = mark.bytes
    if mark.end == mark.begin:
        return {"name": mark.name, "cat": "mark", "ph": "i", "s": "t", "ts": mark.begin, "args": args}
    return _span(mark.name, "mark", mark.begin, mark.end, args)


def _microseconds(nanoseconds: int) -> float:
    return nanoseconds / 1000
