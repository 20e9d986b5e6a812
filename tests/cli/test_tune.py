"""The allred tune command, from its ranks to the table that programs then use."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

import pytest

import allred
from allred import tuning
from allred.cli import events, launch
from allred.cli.main import main
from allred.cli.tune import measure as measuring
from allred.cli.tune.plan import ONE_SHOT, TWO_SHOT, Candidate, Plan
from allred.communicator import Communicator

QUICK = ["--sizes", "1K,32K,256K", "--chunks", "16K,128K", "--blocks", "3", "--seconds-per-size", "0.001"]
SIZES = (1 << 10, 32 << 10, 256 << 10)

pytestmark = pytest.mark.skipif(find_spec("rich") is None, reason="rich is not installed")
needs_launcher = pytest.mark.skipif(
    find_spec("torch") is None and launch.find_mpirun() is None, reason="neither torch nor mpirun is installed"
)


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.delenv("ALLRED_TUNING", raising=False)


@needs_launcher
def test_a_run_leaves_the_table_that_programs_use(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["tune", *QUICK]) == 0
    path = tuning.default_path(2)
    assert f"written: {path}" in capsys.readouterr().out
    table = tuning.load(path)
    assert table.is_for(2)
    in_use = allred.run_threads(lambda communicator: communicator.tuning, 2)[0]
    assert table.numbers.items() <= in_use.items()
    chunk = {table.numbers.get("chunk_bytes"), table.numbers.get("chunk_bytes_shared")} - {None}
    assert chunk <= {16 << 10, 128 << 10}


def measure_on_threads(plan: Plan) -> dict[int, dict[str, list[float]]]:
    def run(first: Communicator) -> dict[int, dict[str, list[float]]]:
        with measuring.communicators(first, plan) as tuned:
            return {size: measuring.measure(first, tuned, size, plan) for size in plan.sizes}

    results = allred.run_threads(run, plan.ranks, tuning="off")
    assert all(each == results[0] for each in results)
    return results[0]


@pytest.mark.parametrize("ranks", [2, 3])
def test_each_candidate_is_measured_at_the_sizes_that_it_can_carry_out(ranks: int) -> None:
    plan = Plan(ranks=ranks, sizes=SIZES, chunks=(16 << 10, 128 << 10), blocks=3, seconds=0.001)
    found = measure_on_threads(plan)
    always = {"two_shot/16K", "two_shot/128K"}
    for size, times in found.items():
        assert always <= times.keys()
        assert ("one_shot" in times) == (size <= 64 << 10)
        assert all(len(blocks) == 3 and min(blocks) > 0 for blocks in times.values())


@pytest.mark.parametrize("candidate", Plan(ranks=2, sizes=()).candidates(), ids=lambda candidate: candidate.name)
def test_a_candidates_numbers_make_the_selector_take_it(candidate: Candidate) -> None:
    chosen = allred.run_threads(
        lambda communicator: communicator.chosen_algorithm("all_reduce", 2048), 2, tuning=candidate.numbers
    )
    assert set(chosen) == {candidate.algorithm}


def test_a_plan_travels_as_text() -> None:
    plan = Plan(ranks=3, sizes=SIZES, timeout=5.0)
    assert Plan.from_json(plan.to_json()) == plan
    assert [each.algorithm for each in plan.candidates()] == [ONE_SHOT, *[TWO_SHOT] * 6]


def pretend_run(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ranks that measured one_shot as faster at 1K and slower at 32K, and small chunks as slow."""
    seconds = {
        1 << 10: {"one_shot": 1e-6, "two_shot/16K": 2e-6, "two_shot/128K": 2e-6},
        32 << 10: {"one_shot": 9e-6, "two_shot/16K": 8e-6, "two_shot/128K": 4e-6},
        256 << 10: {"two_shot/16K": 90e-6, "two_shot/128K": 40e-6},
    }

    def run_ranks(words: object, ranks: int, *, mpi: bool, silence: float, on_event: events.Emit) -> None:
        on_event({"event": "begun", "cores": 2})
        for size, times in seconds.items():
            blocks = {name: [time] * 3 for name, time in times.items()}
            on_event({"event": "size", "size": size, "seconds": blocks})

    monkeypatch.setattr(launch, "run_ranks", run_ranks)


def test_a_dry_run_shows_the_table_and_writes_nothing(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    pretend_run(monkeypatch)
    assert main(["tune", *QUICK, "--dry-run"]) == 0
    printed = capsys.readouterr().out
    assert "one_shot_bytes = 1024\nchunk_bytes = 131072\n" in printed
    assert "nothing was written" in printed
    assert not tuning.folder().exists()


def test_an_output_of_ones_own(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    pretend_run(monkeypatch)
    path = tmp_path / "table.toml"
    assert main(["tune", *QUICK, "--output", str(path)]) == 0
    assert tuning.load(path).numbers == {"one_shot_bytes": 1024, "chunk_bytes": 128 << 10}
    assert not tuning.folder().exists()


def test_an_output_that_cannot_be_written(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pretend_run(monkeypatch)
    (tmp_path / "file").touch()
    assert main(["tune", *QUICK, "--output", str(tmp_path / "file" / "table.toml")]) == 1
    assert f"cannot write {tmp_path / 'file' / 'table.toml'}: " in capsys.readouterr().err


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        (["--ranks", "1"], "--ranks 1: at least 2"),
        (["--blocks", "0"], "--blocks 0: expected a positive number"),
        (["--seconds-per-size", "-1"], "--seconds-per-size -1.0: expected a positive number"),
        (["--sizes", "2,8"], "the least is 4 bytes"),
        (["--sizes", "small"], "'small' is not a size"),
    ],
)
def test_a_wrong_command_line(options: list[str], complaint: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main(["tune", *options])
    assert caught.value.code == 2
    assert complaint in capsys.readouterr().err


def test_chunks_that_are_too_small(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["tune", "--chunks", "64"]) == 1
    assert "chunk_bytes must be in 4096.." in capsys.readouterr().err
