"""Tables of the numbers by which algorithms are chosen: where they are looked for, and what is made of them."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import allred
from allred import host, tuning
from allred.cli.tune.crossover import Conclusion, Timing
from allred.cli.tune.table_file import text_of, write
from allred.config import Config, cache_folder

DEFAULT_CHUNK = 128 << 10


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.delenv("ALLRED_TUNING", raising=False)


def keep(text: str, ranks: int = 2) -> Path:
    path = tuning.default_path(ranks)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def chunk_bytes_in_use(ranks: int = 2, **settings: object) -> set[int]:
    return set(allred.run_threads(lambda communicator: communicator.tuning["chunk_bytes"], ranks, **settings))


def test_the_table_of_this_machine_and_number_of_ranks_is_used() -> None:
    assert chunk_bytes_in_use() == {DEFAULT_CHUNK}
    keep("chunk_bytes = 65536\n")
    assert chunk_bytes_in_use() == {65536}
    assert chunk_bytes_in_use(ranks=3) == {DEFAULT_CHUNK}


def test_a_keyword_wins_over_the_variable_and_the_variable_over_the_table(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    keep("chunk_bytes = 65536\n")
    given = tmp_path / "given.toml"
    given.write_text("chunk_bytes = 32768\n")
    monkeypatch.setenv("ALLRED_TUNING", str(given))
    assert chunk_bytes_in_use() == {32768}
    assert chunk_bytes_in_use(tuning={"chunk_bytes": 8192}) == {8192}
    assert chunk_bytes_in_use(tuning="off") == {DEFAULT_CHUNK}
    monkeypatch.setenv("ALLRED_TUNING", "off")
    assert chunk_bytes_in_use() == {DEFAULT_CHUNK}
    assert chunk_bytes_in_use(tuning="auto") == {65536}


@pytest.mark.parametrize("about", ['cpu = "Z80"', "cores = 100000", "ranks = 3"])
def test_a_table_of_another_machine_is_used_only_if_it_is_named(about: str) -> None:
    path = keep(f"{about}\nchunk_bytes = 65536\n")
    assert chunk_bytes_in_use() == {DEFAULT_CHUNK}
    assert chunk_bytes_in_use(tuning=str(path)) == {65536}


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        (
            "# a table\n\nchunk_byts = 65536\n",
            r"3: tuning: 'chunk_byts' is not known; .*one_shot_bytes, .*chunk_bytes_shared",
        ),
        ("chunk_bytes = 65536\n[sizes]\nsmall = 1\n", r"2: sizes must be a whole number"),
        ("one_shot_bytes = 1\nchunk_bytes = 64\n", r"2: tuning: chunk_bytes must be in 4096\.\.\d+, got 64"),
        (
            "one_shot_bytes = 9000000000000000000\n",
            r"1: tuning: one_shot_bytes must be in 0\.\.\d+, got 9000000000000000000",
        ),
        ("one_shot_bytes = -1\n", r"1: tuning: one_shot_bytes must not be negative, got -1"),
        ("one_shot_bytes = 1.5\n", r"1: one_shot_bytes must be a whole number, got 1\.5"),
        ("one_shot_bytes = true\n", r"1: one_shot_bytes must be a whole number, got True"),
        ("ranks = 'two'\n", r"1: ranks must be a whole number, got 'two'"),
        ("cpu = 3\n", r"1: cpu must be a string, got 3"),
        ("chunk_bytes = 65536\nhm\n", r" .*line 2"),
    ],
)
def test_a_table_that_cannot_be_read_is_an_error_with_file_and_line(text: str, complaint: str) -> None:
    path = keep(text)
    with pytest.raises(allred.InvalidArgumentError, match=f"^{re.escape(str(path))}:{complaint}"):
        allred.run_threads(lambda communicator: None, 2)


def test_a_file_that_is_not_there() -> None:
    with pytest.raises(allred.InvalidArgumentError, match=r"tuning='/no/table': No such file.*'auto', 'off', or"):
        allred.run_threads(lambda communicator: None, 2, tuning="/no/table")


def test_numbers_that_are_not_known() -> None:
    with pytest.raises(allred.InvalidArgumentError, match="'speed' is not known"):
        allred.run_threads(lambda communicator: None, 2, tuning={"speed": 11})


def test_no_home_folder_means_no_table(monkeypatch: pytest.MonkeyPatch) -> None:
    def no_home() -> Path:
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setattr(Path, "home", no_home)
    assert tuning.numbers_for(2, "auto") == {}


@pytest.mark.parametrize("given", ["", "relative"])
def test_the_cache_folder_without_a_variable_that_counts(given: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", given)
    monkeypatch.setenv("HOME", "/home/someone")
    assert cache_folder() == Path("/home/someone/.cache/allred")


def test_what_the_tuner_writes_is_read_back(tmp_path: Path) -> None:
    conclusion = Conclusion(one_shot_most=16384, chunk=65536, large_chunk=262144, noise=0.031)
    curves = {"one_shot": {1024: Timing(1e-6, 0.1)}, "two_shot/64K": {1024: Timing(2e-6, 0.1), 4096: Timing(4e-6, 0.1)}}
    path = tmp_path / "new" / "table.toml"
    write(text_of(conclusion, curves, ranks=4, cores=8), path)
    numbers = {"one_shot_bytes": 32768, "chunk_bytes": 65536, "most_chunk_bytes": 262144}
    expected = tuning.Table(numbers, cpu=host.cpu_model(), cores=host.num_cores(), ranks=4)
    assert tuning.load(path) == expected
    assert "#    4096         -          4.00" in path.read_text()
    assert [file.name for file in path.parent.iterdir()] == ["table.toml"]


def test_ranks_that_share_cores_have_numbers_of_their_own() -> None:
    conclusion = Conclusion(one_shot_most=16384, chunk=65536, large_chunk=None, noise=0.0)
    assert conclusion.numbers(ranks=4, cores=2) == {"one_shot_bytes_shared": 16384, "chunk_bytes_shared": 65536}


def test_the_variable_is_one_of_the_settings() -> None:
    assert Config.from_environment().tuning == "auto"
