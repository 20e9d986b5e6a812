"""One rank of a benchmark run: carries out what the conductor asks for, command by command."""

from __future__ import annotations

from collections.abc import Sequence

from allred.cli.bench.channel import Channel, Message
from allred.cli.bench.libraries import Call, NotOffered, PingPong
from allred.cli.bench.lines import Line
from allred.cli.bench.plan import Plan
from allred.cli.bench.timing import no_garbage_collection, run, run_together
from allred.cli.bench.workload import Allocate, Buffers, Workload
from allred.errors import InvalidArgumentError

WARM_UP_CALLS = 2  # the first may set something up
FLAG_CALLS = 50


class Rank:
    """The lines of one rank, and the buffers of the size that is being measured. Not thread-safe.

    Each public method but :meth:`serve` is a command: all ranks of a job get it together, with the same arguments; it
    may block until all have it, and returns the answer.
    """

    def __init__(self, plan: Plan, rank: int, lines: Sequence[Line], flag: Call | None = None) -> None:
        self._plan = plan
        self._rank = rank
        self._lines = lines
        self._flag = flag
        self._size = 0
        self._buffers: dict[Allocate, Buffers] = {}
        self._works: dict[tuple[Allocate, str], Workload] = {}
        self._calls: dict[int, tuple[Call | PingPong, Call]] = {}  # by line: what is timed, and the barrier before it

    def serve(self, channel: Channel) -> None:
        """Carries out commands until the conductor has no more of them. Raises ChannelClosed if it is gone."""
        commands = {name: getattr(self, name) for name in ("begin_size", "offer", "check", "time", "block")}
        with no_garbage_collection():
            while (command := channel.receive())["do"] != "quit":
                channel.send(commands[command.pop("do")](**command))

    def begin_size(self, size: int) -> Message:
        """Frees the buffers of the size before."""
        self._size = size
        self._calls.clear()
        self._works.clear()
        self._buffers.clear()
        return {}

    def offer(self, line: int) -> Message:
        """Prepares a line's call; the answer is a reason if the library does not offer it. Moves no data."""
        work = self._work(line)
        try:
            self._calls[line] = self._lines[line].prepare(work), self._lines[line].barrier(work)
        except NotOffered as reason:
            return {"refused": str(reason)}
        return {}

    def check(self, line: int, seed: int) -> Message:
        """Calls a line on fresh data, counts what is wrong, and makes it ready to be timed."""
        work, (call, _) = self._work(line), self._calls[line]
        work.fill(seed)
        try:
            run(call, 1)
        except (NotImplementedError, InvalidArgumentError) as reason:  # so on all ranks, and no data moved
            return {"refused": str(reason)}
        wrong = self._count_wrong(line)
        work.fill_repeatable(seed)
        run(call, WARM_UP_CALLS)
        return {"wrong": wrong}

    def time(self, line: int, calls: int) -> Message:
        """Seconds that so many calls take, on whatever lies in the buffers."""
        call, barrier = self._calls[line]
        return {"seconds": run_together(call, calls, barrier)}

    def block(self, line: int, calls: int, seeds: tuple[int, int]) -> Message:
        """As :meth:`time`, with a check of what the timed calls leave and, on fresh data, of one more call.

        Where the machine's state can be told, the answer tells it, in microseconds of a flag before and after.
        """
        work, (call, barrier) = self._work(line), self._calls[line]
        work.fill_repeatable(seeds[0])
        before = self._flag_us(barrier)
        seconds = run_together(call, calls, barrier)
        state = before + self._flag_us(barrier)
        wrong = self._count_wrong(line)
        work.fill(seeds[1])
        run(call, 1)
        return {"seconds": seconds, "wrong": wrong + self._count_wrong(line), "flag_us": state}

    def _flag_us(self, barrier: Call) -> list[float]:
        """One time, or none where it would tell nothing."""
        return [run_together(self._flag, FLAG_CALLS, barrier) / FLAG_CALLS * 1e6] if self._flag else []

    def _count_wrong(self, line: int) -> int:
        """A floor moves data as a collective would, and need not leave its result."""
        return self._work(line).count_wrong() if self._lines[line].title.kind == "library" else 0

    def _work(self, line: int) -> Workload:
        allocate, placement = self._lines[line].allocate, self._lines[line].title.placement
        if (allocate, placement) not in self._works:
            buffers = self._buffers.setdefault(allocate, Buffers(allocate))
            self._works[allocate, placement] = Workload(
                self._plan, self._size, self._rank, in_place=placement == "in_place", buffers=buffers
            )
        return self._works[allocate, placement]
