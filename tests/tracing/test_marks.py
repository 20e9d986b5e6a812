"""What the program marks: steps, instants, spans."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from tracing.timeline import Timeline, check_nesting

import allred
from allred import _core
from allred.tracing.lanes import lanes


def test_steps_follow_each_other_until_the_trace_ends(tmp_path: Path) -> None:
    with allred.trace(tmp_path / "trace.json") as trace:
        for _ in range(3):
            trace.step()
    timeline = Timeline(tmp_path / "trace.json")
    steps = timeline.of("step")
    assert [each.name for each in steps] == ["step 0", "step 1", "step 2"]
    assert [each.args["step"] for each in steps] == [0, 1, 2]
    for step, following in pairwise(steps):
        assert step.end == pytest.approx(following.begin, abs=0.001)
    header = timeline.header(0)
    assert steps[-1].end == pytest.approx((header["stopped_ns"] - header["started_ns"]) / 1000, abs=0.001)


def test_instants_and_spans(tmp_path: Path) -> None:
    with allred.trace(tmp_path / "trace.json") as trace, trace.span("backward"):
        trace.instant("bucket ready", index=3, bytes=1024)
        with trace.span("bucket", index=3):
            trace.instant("again")
    timeline = Timeline(tmp_path / "trace.json")
    backward, bucket = timeline.of("mark")
    assert (backward.name, backward.args) == ("backward", {})
    assert (bucket.name, bucket.args) == ("bucket", {"index": 3})
    assert backward.holds(bucket)
    check_nesting(timeline)
    ready, again = timeline.instants
    assert (ready["name"], ready["args"]) == ("bucket ready", {"index": 3, "bytes": 1024})
    assert (again["name"], again["args"]) == ("again", {})
    assert backward.begin <= ready["ts"] <= bucket.begin <= again["ts"] <= bucket.end


def test_marks_of_a_communicator_are_beside_its_calls(tmp_path: Path) -> None:
    """As the gradient bucketer makes them, on the communicator that it works on."""

    def main(comm: allred.Communicator) -> None:
        begin = comm._recorder.now()
        comm._recorder.instant("bucket ready", 1, 400)
        comm.all_reduce(np.ones(100, np.float32))
        comm._recorder.span("bucket", begin, 1, 400)

    with allred.trace(tmp_path / "trace.json"):
        allred.run_threads(main, ranks=2)
    timeline = Timeline(tmp_path / "trace.json")
    for rank in (0, 1):
        (span,) = timeline.of("mark", rank)
        (call,) = timeline.calls(rank)
        assert span.thread == "job, marks"
        assert span.args == {"index": 1, "bytes": 400}
        assert span.begin <= call.begin < call.end <= span.end
    assert sorted(each["pid"] for each in timeline.instants) == [0, 1]


def test_nothing_is_marked_while_the_recorder_is_off() -> None:
    recorder = _core.Recorder()
    recorder.instant("too early")
    begin = recorder.now()
    assert begin == 0
    recorder.start(10)
    recorder.span("began too early", begin)
    recorder.instant("in time")
    marks, num_lost = recorder.stop()
    recorder.instant("too late")
    assert num_lost == 0
    assert [each.name for each in marks if isinstance(each, _core.MarkRecord)] == ["in time"]
    assert recorder.stop() == ([], 0)


def test_a_mark_outlives_its_recorder() -> None:
    recorder = _core.Recorder()
    recorder.start(1)
    recorder.instant("a name of some length, " * 10)
    ((mark,), _) = recorder.stop()
    del recorder
    assert isinstance(mark, _core.MarkRecord)
    assert mark.name == "a name of some length, " * 10


@pytest.mark.parametrize(
    ("spans", "expected"),
    [
        ([], []),
        ([(0, 5), (5, 9)], [0, 0]),  # one after the other
        ([(0, 9), (2, 5)], [0, 0]),  # one within the other
        ([(0, 5), (3, 9)], [0, 1]),  # neither
        ([(3, 9), (0, 5), (6, 8)], [1, 0, 0]),
        ([(0, 9), (1, 4), (2, 6), (4, 9)], [0, 0, 1, 0]),
    ],
)
def test_lanes(spans: list[tuple[int, int]], expected: list[int]) -> None:
    assert lanes(spans) == expected
