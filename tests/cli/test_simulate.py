"""The allred simulate command: units, what it reports, and how the model is fitted to measured times."""

from __future__ import annotations

import json
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path

import pytest

import allred
from allred import _core
from allred.cli.main import main
from allred.cli.simulate.check import Comparison, summaries
from allred.cli.simulate.fit import fit
from allred.cli.simulate.measure import Measurement, run
from allred.cli.simulate.model import CallSize, Costs
from allred.cli.units import format_bytes, format_seconds, parse_rate, parse_seconds

needs_rich = pytest.mark.skipif(find_spec("rich") is None, reason="rich is not installed")


@pytest.mark.parametrize(
    ("text", "value"), [("10us", 10e-6), ("1.5 ms", 1.5e-3), (".5ns", 0.5e-9), ("2s", 2.0), ("0us", 0.0)]
)
def test_times(text: str, value: float) -> None:
    assert parse_seconds(text) == pytest.approx(value)


@pytest.mark.parametrize("text", ["", "10", "us", "10 m", "-1us", "1e-6s", "10uss"])
def test_malformed_times(text: str) -> None:
    with pytest.raises(ValueError, match="is not a time such as 10us"):
        parse_seconds(text)


@pytest.mark.parametrize(
    ("text", "value"),
    [("12.5GB/s", 12.5e9), ("100Gb/s", 12.5e9), ("2GiB/s", 2 << 30), ("8 Kib/s", 1024), ("7B/s", 7)],
)
def test_rates(text: str, value: float) -> None:
    assert parse_rate(text) == pytest.approx(value)


@pytest.mark.parametrize("text", ["", "12.5", "12.5GB", "GB/s", "1GB/m", "0GB/s", "-1GB/s", "1XB/s", "1iB/s"])
def test_malformed_rates(text: str) -> None:
    with pytest.raises(ValueError, match=r"is not a rate above 0 such as 12\.5GB/s"):
        parse_rate(text)


def test_figures_for_people() -> None:
    assert [format_seconds(each) for each in (0, 2e-9, 1.25e-3, 0.9999e-3, 12.0)] == [
        "0 ns",
        "2 ns",
        "1.25 ms",
        "1 ms",
        "12 s",
    ]
    assert [format_bytes(each) for each in (0, 999, 1 << 20, 123456789)] == ["0 B", "999 B", "1.05 MB", "123 MB"]


@pytest.mark.parametrize(
    ("collective", "count"), [("all_reduce", 256), ("all_gather", 64), ("scatter", 64), ("barrier", 0)]
)
def test_a_size_is_that_of_the_larger_buffer(collective: str, count: int) -> None:
    assert CallSize(collective=collective, bytes=1024, ranks=4).count == count
    assert CallSize(collective="all_gather", bytes=1, ranks=4).count == 1


@needs_rich
def test_predictions_are_listed_from_the_fastest(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "out.json"
    options = ["--hosts", "4", "--ranks-per-host", "2", "--bytes", "64K", "--latency", "20us", "--json", str(file)]
    assert main(["simulate", *options, "--bandwidth", "1GB/s"]) == 0
    output = capsys.readouterr().out
    document = json.loads(file.read_text())
    assert (document["hosts"], document["costs"]["latency"]) == (4, pytest.approx(20e-6))
    found = document["predictions"]
    assert {each["algorithm"] for each in found} == set(_core.candidates("all_reduce", _core.Cluster(4, 2)))
    times = [each["seconds"] for each in found]
    assert times == sorted(times)
    assert f"fastest: {found[0]['algorithm']}," in output
    assert all(each["algorithm"] in output for each in found)


@needs_rich
def test_only_the_algorithms_asked_for(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["simulate", "--hosts", "4", "--algorithms", "ring,hierarchical/ring", "--bytes", "1K"]) == 0
    output = capsys.readouterr().out
    assert "double_tree" not in output
    assert "hierarchical/ring" in output


@needs_rich
@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        (["--latency", "10"], "argument --latency: '10' is not a time such as"),
        (["--bandwidth", "12"], "argument --bandwidth: '12' is not a rate"),
        (["--bytes", "0"], "argument --bytes: '0': expected at least 1 byte"),
        (["--hosts", "0"], "argument --hosts: '0' is not an integer of at least 1"),
        (["--algorithms", "rung"], "algorithm 'rung' does not carry out all_reduce on 1 x 8 ranks; expected some of"),
        (["--hosts", "2", "--algorithms", "two_shot"], "algorithm 'two_shot' does not carry out all_reduce on 2 x 8"),
    ],
)
def test_wrong_options(options: list[str], complaint: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        main(["simulate", *options])
    assert complaint in capsys.readouterr().err


def test_the_fit_finds_the_costs_that_made_the_times() -> None:
    truth = Costs(intra_latency=0.7e-6, overhead=0.2e-6, intra_bandwidth=7e9, reduce_bandwidth=20e9)

    def model(size: int, costs: Costs) -> float:
        return _core.predict("all_reduce", "ring", costs.cluster(1, 2, 32 << 10), size // 4).seconds

    measured = {1 << power: model(1 << power, truth) for power in range(2, 21, 2)}
    found = fit(model, measured, replace(truth, intra_latency=3e-6, overhead=1e-6, intra_bandwidth=1e9))
    assert found.intra_bandwidth == pytest.approx(7e9, rel=0.05)
    for size, seconds in measured.items():
        assert model(size, found) == pytest.approx(seconds, rel=0.02)


def test_every_rank_measures_and_one_tells() -> None:
    what = Measurement(("ring",), (4, 4096), blocks=2, block_seconds=1e-5)
    heard: list[dict[str, object]] = []
    allred.run_threads(lambda comm: run(what, comm, heard.append if comm.rank == 0 else lambda _: None), ranks=2)
    assert [(each["name"], each["size"]) for each in heard[1:]] == [("barrier", 0), ("ring", 4), ("ring", 4096)]
    assert all(isinstance(each["seconds"], float) and each["seconds"] > 0 for each in heard)


@needs_rich
def test_the_error_is_stated_for_the_fit_and_for_the_predictions() -> None:
    comparisons = [
        Comparison(2, 4, "ring", 1e-6, 1.1e-6),
        Comparison(2, 4, "double_tree", 1e-6, 0.8e-6),
        Comparison(4, 4, "ring", 1e-6, 0.5e-6),
    ]
    assert summaries(comparisons, cores=2) == [
        "error of the fit, 2 ranks: median 10%, worst 10%",
        "error of the predictions, 2 ranks: median 20%, worst 20%",
        "error of the predictions, 4 ranks: median 50%, worst 50% (4 ranks share 2 cores, of which the model knows "
        "nothing)",
    ]
