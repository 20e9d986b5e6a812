"""What a trace comes to: how much was moved, how long that took, and for whom the ranks waited."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from allred.tracing.document import Document, take_apart
from allred.tracing.part import Event, Part

Span = tuple[int, int]  # begin and end, in nanoseconds


@dataclass(frozen=True)
class RankSummary:
    """One rank's share.

    Attributes:
        rank: in the job.
        calls: collectives.
        call_bytes: that it passed in or got out by them, whichever was more of each.
        messages: sends and recvs.
        message_bytes: of those.
        communicating_seconds: in which at least one collective was under way.
        waiting_seconds: of those, in which it waited for its peers.
        waiting_share: part of the steps, or of the whole trace where none are marked, that it waited in collectives.
        waited_for_seconds: by rank.
        lost: records that there was no room for, and which are in none of these numbers.
    """

    rank: int
    calls: int
    call_bytes: int
    messages: int
    message_bytes: int
    communicating_seconds: float
    waiting_seconds: float
    waiting_share: float
    waited_for_seconds: dict[int, float]
    lost: int


@dataclass(frozen=True)
class CallSummary:
    """All calls of a collective by one algorithm, on all ranks.

    Attributes:
        collective: its name.
        algorithm: its name, or empty where none was needed or the ranks did not agree.
        calls: how many, each rank's counted.
        bytes: as of :class:`RankSummary`.
        seconds: of all calls together.
        entering_seconds: of those, until all ranks were there.
    """

    collective: str
    algorithm: str
    calls: int
    bytes: int
    seconds: float
    entering_seconds: float


@dataclass(frozen=True)
class Straggler:
    """The rank that the others waited for most.

    Attributes:
        rank: in the job.
        seconds: that the others waited for it, together.
    """

    rank: int
    seconds: float


@dataclass(frozen=True)
class Summary:
    """Of a trace.

    Attributes:
        seconds: that it lasted.
        steps: how many of the program's are marked.
        step_seconds: that one took, on average; 0 where there are none.
        ranks: those that are in the trace.
        calls: those that took longest first.
        straggler: None where nobody waited for anybody.
    """

    seconds: float
    steps: int
    step_seconds: float
    ranks: list[RankSummary]
    calls: list[CallSummary]
    straggler: Straggler | None


def summarize(document: Document) -> Summary:
    """What the trace in `document` comes to."""
    parts = take_apart(document)
    steps = next(filter(None, (spans_of(part, "step") for part in parts)), [])
    ranks = [_rank_summary(part, _window(part, steps)) for part in parts]
    return Summary(
        seconds=_seconds(max(part.stopped_ns - part.started_ns for part in parts)),
        steps=len(steps),
        step_seconds=_seconds(union(steps)) / len(steps) if steps else 0.0,
        ranks=ranks,
        calls=_call_summaries(parts),
        straggler=_straggler(ranks),
    )


def spans_of(part: Part, category: str) -> list[Span]:
    """Begin and end of the events of a category."""
    return [(each["ts"], each["ts"] + each["dur"]) for each in _events_of(part, category)]


def union(spans: Iterable[Span]) -> int:
    """The time that at least one of the spans covers."""
    covered, reached = 0, None
    for begin, end in sorted(spans):
        begin = begin if reached is None else max(begin, reached)
        covered += max(0, end - begin)
        reached = end if reached is None else max(end, reached)
    return covered


def _events_of(part: Part, category: str) -> list[Event]:
    return [each for each in part.events if each.get("cat") == category and each["ph"] == "X"]


def _window(part: Part, steps: Sequence[Span]) -> Span:
    return (steps[0][0], steps[-1][1]) if steps else (part.started_ns, part.stopped_ns)


def _rank_summary(part: Part, window: Span) -> RankSummary:
    calls, messages, waits = (_events_of(part, category) for category in ("call", "message", "wait"))
    waited_for: dict[int, int] = {}
    for wait in waits:
        if "rank" in wait["args"]:
            waited_for[wait["args"]["rank"]] = waited_for.get(wait["args"]["rank"], 0) + wait["dur"]
    waiting = spans_of(part, "wait")
    within = [(max(begin, window[0]), min(end, window[1])) for begin, end in waiting]
    length = window[1] - window[0]
    return RankSummary(
        rank=part.rank,
        calls=len(calls),
        call_bytes=sum(each["args"]["bytes"] for each in calls),
        messages=len(messages),
        message_bytes=sum(each["args"]["bytes"] for each in messages),
        communicating_seconds=_seconds(union(spans_of(part, "call"))),
        waiting_seconds=_seconds(union(waiting)),
        waiting_share=union(span for span in within if span[0] < span[1]) / length if length else 0.0,
        waited_for_seconds={rank: _seconds(waited_for[rank]) for rank in sorted(waited_for)},
        lost=part.lost,
    )


def _call_summaries(parts: Sequence[Part]) -> list[CallSummary]:
    kinds: dict[tuple[str, str], list[Event]] = {}
    for part in parts:
        for call in _events_of(part, "call"):
            kinds.setdefault((call["name"], call["args"].get("algorithm", "")), []).append(call)
    summaries = [
        CallSummary(
            collective=collective,
            algorithm=algorithm,
            calls=len(calls),
            bytes=sum(each["args"]["bytes"] for each in calls),
            seconds=_seconds(sum(each["dur"] for each in calls)),
            entering_seconds=sum(each["args"].get("entering_us", each["dur"] / 1000) for each in calls) / 1e6,
        )
        for (collective, algorithm), calls in kinds.items()
    ]
    return sorted(summaries, key=lambda each: -each.seconds)


def _straggler(ranks: Sequence[RankSummary]) -> Straggler | None:
    total: dict[int, float] = {}
    for each in ranks:
        for rank, seconds in each.waited_for_seconds.items():
            total[rank] = total.get(rank, 0.0) + seconds
    if not total:
        return None
    slowest = max(total, key=lambda rank: total[rank])
    return Straggler(slowest, total[slowest])


def _seconds(nanoseconds: int) -> float:
    return nanoseconds / 1e9
