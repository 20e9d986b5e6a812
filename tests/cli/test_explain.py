"""The allred explain command: its words are what a communicator does, its steps and drawings what a schedule is."""

from __future__ import annotations

import json
import re
from importlib.util import find_spec
from itertools import pairwise
from pathlib import Path

import pytest

import allred
from allred import _core
from allred.cli.explain import command
from allred.cli.main import main
from allred.cli.simulate.model import CallSize

needs_matplotlib = pytest.mark.skipif(find_spec("matplotlib") is None, reason="matplotlib is not installed")
SIZES = (4, 1 << 10, 1 << 15, (1 << 15) + 4, 1 << 16, (1 << 16) + 4, 1 << 20)
CHOSEN = re.compile(r"ranks: (\w+)$", re.MULTILINE)
PNG = b"\x89PNG\r\n"


def explain(capsys: pytest.CaptureFixture[str], *words: str) -> str:
    assert main(["explain", *words]) == 0
    return capsys.readouterr().out


@pytest.mark.parametrize("ranks", [2, 3, 5])
def test_the_algorithm_named_is_the_one_that_a_communicator_chooses(
    ranks: int, capsys: pytest.CaptureFixture[str]
) -> None:
    collectives = ("all_reduce", "broadcast", "reduce_scatter", "all_gather", "barrier")

    def choices(comm: allred.Communicator) -> tuple[int, dict[tuple[str, int], str]]:
        counts = {
            (name, size): CallSize(collective=name, bytes=size, ranks=ranks).count
            for name in collectives
            for size in SIZES
        }
        return comm.num_cores, {key: comm.chosen_algorithm(key[0], count) for key, count in counts.items()}

    cores, chosen = allred.run_threads(choices, ranks=ranks)[0]
    for (collective, size), algorithm in chosen.items():
        text = explain(capsys, collective, "--ranks", str(ranks), "--bytes", str(size), "--cores", str(cores))
        found = CHOSEN.search(text)
        assert found is not None
        assert found[1] == algorithm, text


@pytest.mark.parametrize(("ranks", "cores"), [(2, 2), (4, 4), (8, 2)])
@pytest.mark.parametrize("collective", ["all_reduce", "broadcast", "all_to_all", "barrier"])
def test_the_stretches_end_where_the_choice_changes(collective: str, ranks: int, cores: int) -> None:
    choice = _core.choose(collective, 1, "uint8", ranks, cores)
    assert choice.stretches[0][0] == 0
    for (first, before), (limit, after) in pairwise(choice.stretches):
        assert first < limit
        assert before != after
        if collective in ("all_reduce", "broadcast"):  # a rank shows its peers one message
            assert _core.choose(collective, limit - 1, "uint8", ranks, cores).algorithm == before
            assert _core.choose(collective, limit, "uint8", ranks, cores).algorithm == after
    assert (len(choice.stretches) == 1) == (not choice.decisive)


def test_the_reasons_name_the_numbers_that_decide(capsys: pytest.CaptureFixture[str]) -> None:
    own = explain(capsys, "all_reduce", "--ranks", "8", "--cores", "8", "--bytes", "64K")
    shared = explain(capsys, "all_reduce", "--ranks", "8", "--cores", "2", "--bytes", "64K")
    assert "one_shot_bytes = " in own
    assert "one_shot_bytes_shared" not in own
    assert "one_shot_bytes_shared = " in shared
    limits = [re.search(r"one_shot up to ([\d,]+), then", text) for text in (own, shared)]
    assert all(limits)


def test_it_tells_where_one_shot_is_tried_in_place_of_two_shot(capsys: pytest.CaptureFixture[str]) -> None:
    setting = ["all_reduce", "--ranks", "2", "--cores"]
    tried = [
        "one_shot_trial_bytes" in explain(capsys, *setting, cores, "--bytes", size)
        for cores, size in (("2", "2048"), ("2", "2052"), ("2", "16384"), ("2", "16388"), ("1", "16384"))
    ]
    assert tried == [False, True, True, False, False]


def test_a_setting_decides_before_the_selector(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("ALLRED_ALL_REDUCE_ALGORITHM", "ring")
    text = explain(capsys, "all_reduce", "--ranks", "2", "--bytes", "4")
    assert CHOSEN.findall(text.splitlines()[0]) == ["ring"]
    assert "ALLRED_ALL_REDUCE_ALGORITHM asks for ring; left alone, the selector picks one_shot" in text


@pytest.mark.parametrize(("collective", "algorithm"), _core.schedule_algorithms())
def test_the_steps_are_those_of_the_schedules(
    collective: str, algorithm: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "out.json"
    text = explain(capsys, collective, "--ranks", "5", "--bytes", "400", "--algorithm", algorithm, "--json", str(file))
    document = json.loads(file.read_text())
    statistics = _core.schedule_statistics(collective, algorithm, 5, document["count"])
    assert document["sent_messages"] == max(statistics.sent_messages)
    assert document["sent_bytes"] == 4 * max(statistics.sent_elements)
    for rank, steps in enumerate(document["steps"]):
        schedule = _core.make_schedule(collective, algorithm, rank, 5, document["count"])
        assert [(each["kind"], each.get("peer", -1), each["range"]["count"]) for each in steps] == [
            (each.kind, each.peer, each.range.count) for each in schedule.steps
        ]
    first = _core.make_schedule(collective, algorithm, 0, 5, document["count"])
    assert str(first).splitlines()[1] in text


@needs_matplotlib
@pytest.mark.parametrize("algorithm", ["double_tree", "two_shot"])
def test_a_drawing(algorithm: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "drawn.png"
    explain(capsys, "all_reduce", "--ranks", "4", "--bytes", "512K", "--algorithm", algorithm, "--draw", str(file))
    assert file.read_bytes().startswith(PNG)


@needs_matplotlib
def test_each_activity_is_a_bar_and_each_message_an_arrow(tmp_path: Path) -> None:
    from allred.cli.explain import drawing

    timeline = _core.trace("all_reduce", "double_tree", command_cluster(4), 1000)
    bars = drawing.lay_out(timeline, 1e-6)
    lasting = [each for each in timeline.activities if each[4] > each[3]]
    assert len(bars) == len(lasting)
    assert len(timeline.messages) == 4 * 3  # each half goes up and down three edges of its tree
    placed = sorted(bars.items(), key=lambda item: (item[0][0], item[1].top, item[1].begin))
    for ((rank, *_), one), ((next_rank, *_), other) in pairwise(placed):
        assert rank <= one.top < rank + 1
        if (rank, one.top) == (next_rank, other.top):
            assert one.end <= other.begin


def command_cluster(ranks: int) -> _core.Cluster:
    return _core.Cluster(1, ranks, overhead=1e-7, intra_latency=1e-6, intra_byte=1e-10, reduce_byte=1e-10)


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        (["all_reduce", "--algorithm", "rung"], "algorithm 'rung' does not carry out all_reduce; expected one of"),
        (["broadcast", "--algorithm", "two_shot"], "algorithm 'two_shot' does not carry out broadcast"),
        (
            ["all_reduce", "--algorithm", "one_shot"],
            "algorithm one_shot carries at most 65,536 B a rank, got 1,048,576",
        ),
        (["broadcast", "--root", "8"], "--root 8 is not one of the 8 ranks"),
        (["all_reduce", "--draw", "x.jpeg"], "--draw x.jpeg: expected a name that ends in .png, .svg or .pdf"),
        (["all_reduce", "--ranks", "65", "--draw", "x.png"], "--draw shows at most 64 ranks, not 65"),
        (["all_reduce", "--bytes", "1X"], "argument --bytes: '1X' is not a size"),
    ],
)
def test_wrong_options(words: list[str], complaint: str, capsys: pytest.CaptureFixture[str]) -> None:
    if "--draw" in words and find_spec("matplotlib") is None:
        pytest.skip("matplotlib is not installed")
    with pytest.raises(SystemExit, match="2"):
        main(["explain", *words])
    assert complaint in capsys.readouterr().err


def test_without_matplotlib_a_drawing_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(command, "find_spec", lambda _: None)
    with pytest.raises(SystemExit, match="2"):
        main(["explain", "all_reduce", "--draw", "x.png"])
    assert "--draw needs matplotlib, which is not installed: pip install 'allred[bench]'" in capsys.readouterr().err
