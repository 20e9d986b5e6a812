"""The tuner's arithmetic, on curves whose crossovers are known."""

from __future__ import annotations

import pytest

from allred.cli.tune.crossover import LARGE, Conclusion, Curve, Timing, conclude, crossover, fastest

SIZES = [1 << power for power in range(10, 21)]  # 1K to 1M
QUIET = 0.01
CHUNKS = (32 << 10, 128 << 10, 512 << 10)


def line(start: float, a_byte: float, noise: float = QUIET, sizes: list[int] = SIZES) -> dict[int, Timing]:
    return {size: Timing(start + a_byte * size, noise) for size in sizes}


def test_a_timing_is_the_median_and_half_the_middle_range() -> None:
    timing = Timing.of([4.0, 2.0, 100.0, 3.0, 1.0])
    assert timing == Timing(seconds=3.0, noise=pytest.approx(1 / 3))


def test_lines_that_cross_between_two_sizes() -> None:
    before, after = line(0, 2.0), line(5000, 1.0)  # they meet at 5000
    assert crossover(before, after) == 8192
    assert crossover(after, before) is None


def test_one_that_is_always_faster_overtakes_at_the_first_size() -> None:
    assert crossover(line(0, 2.0), line(0, 1.0)) == SIZES[0]
    assert crossover(line(0, 1.0), line(0, 2.0)) is None


def test_sizes_that_only_one_has_do_not_count() -> None:
    assert crossover(line(0, 2.0, sizes=SIZES[:4]), line(0, 1.0, sizes=SIZES[3:])) == SIZES[3]
    assert crossover({}, line(0, 1.0)) is None


@pytest.mark.parametrize(("noise", "expected"), [(QUIET, 1 << 17), (0.05, 8192)])
def test_a_lapse_counts_only_beyond_the_noise(noise: float, expected: int) -> None:
    before, after = line(0, 2.0, noise), line(5000, 1.0, noise)
    lapse = 1 << 16
    after[lapse] = Timing(before[lapse].seconds * 1.05, noise)
    assert crossover(before, after) == expected


def test_a_lead_at_small_sizes_is_none_if_it_is_lost_later() -> None:
    before, after = line(5000, 1.0), line(0, 2.0)
    assert crossover(before, after) is None


def test_the_fastest_of_several() -> None:
    assert fastest([{1: Timing(3, 0), 2: Timing(1, 0)}, {1: Timing(2, 0)}]) == {1: Timing(2, 0), 2: Timing(1, 0)}


def two_shot(seconds: dict[int, float], noise: float = QUIET) -> dict[str, Curve]:
    names = {32 << 10: "two_shot/32K", 128 << 10: "two_shot/128K", 512 << 10: "two_shot/512K"}
    return {names[chunk]: line(5000, each, noise) for chunk, each in seconds.items()}


def concluded(curves: dict[str, Curve]) -> Conclusion:
    return conclude(curves, CHUNKS, default_chunk=128 << 10, default_large_chunk=512 << 10)


def test_a_conclusion_of_both() -> None:
    curves: dict[str, Curve] = two_shot({32 << 10: 1.0, 128 << 10: 1.2, 512 << 10: 1.4})
    curves["one_shot"] = line(0, 2.0, sizes=SIZES[:7])
    found = concluded(curves)
    assert (found.one_shot_most, found.chunk) == (4096, 32 << 10)
    assert found.noise == QUIET


@pytest.mark.parametrize(("noise", "chunk"), [(0.01, 512 << 10), (0.1, 128 << 10)])
def test_a_chunk_gives_way_only_to_one_that_is_better_beyond_the_noise(noise: float, chunk: int) -> None:
    curves: dict[str, Curve] = two_shot({32 << 10: 1.2, 128 << 10: 1.05, 512 << 10: 1.0}, noise)
    assert concluded(curves).chunk == chunk


def test_the_chunk_is_chosen_where_it_matters() -> None:
    """Sizes that one_shot can carry out do not count."""
    curves: dict[str, Curve] = two_shot({32 << 10: 1.0, 128 << 10: 1.5, 512 << 10: 2.0})
    curves["one_shot"] = line(0, 2.0, sizes=SIZES[:7])
    curves["two_shot/512K"] = {**curves["two_shot/512K"], **line(0, 0.6, sizes=SIZES[7:])}
    assert concluded(curves).chunk == 512 << 10


def test_an_algorithm_that_never_wins() -> None:
    curves: dict[str, Curve] = two_shot(dict.fromkeys(CHUNKS, 1.0))
    curves["one_shot"] = line(10_000, 1.0, sizes=SIZES[:7])
    assert concluded(curves).one_shot_most == 0


def test_one_shot_that_always_wins_is_taken_as_far_as_it_goes() -> None:
    curves: dict[str, Curve] = two_shot(dict.fromkeys(CHUNKS, 1.0))
    curves["one_shot"] = line(0, 0.5, sizes=SIZES[:7])
    assert concluded(curves).one_shot_most == 64 << 10


def test_large_messages_have_a_chunk_of_their_own() -> None:
    curves: dict[str, Curve] = two_shot({32 << 10: 1.0, 128 << 10: 1.5, 512 << 10: 2.0})
    assert concluded(curves).large_chunk is None
    for name, a_byte in (("two_shot/32K", 2.0), ("two_shot/128K", 1.0), ("two_shot/512K", 1.5)):
        curves[name] = {**curves[name], **line(0, a_byte, sizes=[LARGE, 2 * LARGE])}
    assert conclude(curves, CHUNKS, default_chunk=128 << 10, default_large_chunk=None).large_chunk is None
    assert (concluded(curves).chunk, concluded(curves).large_chunk) == (32 << 10, 128 << 10)
    assert concluded(curves).numbers(ranks=2, cores=2)["most_chunk_bytes"] == 128 << 10
