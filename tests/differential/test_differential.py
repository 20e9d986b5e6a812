"""Random programs give the same results on Gloo and on allred; and a wrong backend would not pass unnoticed."""

from __future__ import annotations

import pytest
import torch
from differential import inputs, kinds
from differential.compare import contributions, difference, rounding_bound
from differential.execute import Options
from differential.generator import program
from differential.program import Call
from differential.ranks import failing_seeds, report

SEEDS = range(300)


@pytest.mark.parametrize("size", [2, 3])
def test_gloo_and_allred_agree(size: int) -> None:
    options = Options()
    for failures in failing_seeds(SEEDS, size, options):
        pytest.fail(report(failures, size, options), pytrace=False)


@pytest.mark.parametrize("size", [2, 3])
def test_programs_make_every_call_in_every_way(size: int) -> None:
    calls = [step for seed in SEEDS for step in program(seed, size).steps if isinstance(step, Call)]
    assert {call.kind for call in calls} == set(kinds.ALL)
    assert {call.kind for call in calls if call.asynchronous} == set(kinds.ALL) - kinds.SYNCHRONOUS
    reduced = {(call.dtype, call.op) for call in calls if call.op}
    assert reduced == {(dtype, op) for dtype in kinds.REDUCED for op in kinds.ops(dtype)}
    assert {call.dtype for call in calls if call.dtype and not call.op} == set(kinds.MOVED)


# Gloo stands in for the backend here: what is looked for is the fault, not what else may be wrong.
@pytest.mark.parametrize(
    ("fault", "call", "said"),
    [
        ("LowPrecision", "all_reduce", "apart)"),
        ("EarlyDone", "broadcast", "the same bits"),
        ("OneRankHangs", "barrier", "hangs"),
    ],
)
def test_a_wrong_backend_is_found_out(fault: str, call: str, said: str) -> None:
    options = Options("gloo", (call,), fault, timeout=2)
    failures = next(failing_seeds(SEEDS, 2, options))
    seed, step = failures[0].seed, failures[0].step
    text = report(failures, 2, options)
    assert text.startswith(f"SEED {seed} FAILS\n")
    assert said in text
    assert f"->{step:4} {call} on group" in text
    assert f"--seeds {seed} --ranks 2 --backend gloo --calls {call}" in text


def test_a_failing_seed_fails_again_alone() -> None:
    options = Options("gloo", fault="OffByOne")
    failures = next(failing_seeds(range(60, 100), 2, options))
    seed = failures[0].seed
    assert all(each.rank == 1 and "result 0 of 1: 1 of " in each.what for each in failures)
    assert list(failing_seeds(range(seed, seed + 1), 2, options)) == [failures]


def test_after_a_failing_seed_the_others_are_run() -> None:
    options = Options("gloo", ("barrier",), "OneRankRaises", timeout=2)
    found = list(failing_seeds(range(2), 2, options))
    assert [failures[0].seed for failures in found] == [0, 1]
    assert all("cannot enter" in str(failures) for failures in found)


@pytest.mark.parametrize("dtype", kinds.FLOATS)
@pytest.mark.parametrize("op", kinds.ROUNDED)
@pytest.mark.parametrize("size", [2, 5, 15])
def test_the_bound_lets_rounding_pass_and_little_more(dtype: str, op: str, size: int) -> None:
    call = Call("all_reduce", 0, dtype=dtype, op=op, shapes=((2000,),))
    key = (7, 0, 0, 0)
    operands = contributions(call, key, size, 0)
    forwards, backwards = evaluated(op, operands), evaluated(op, operands[::-1])
    assert difference(call, key, size, [forwards], [backwards]) is None
    wide = evaluated(op, [operand.double() for operand in operands])
    assert difference(call, key, size, [forwards], [wide.to(forwards.dtype)]) is None
    off = wide + 3 * rounding_bound(op, operands)
    assert "2000 of 2000 elements differ" in str(difference(call, key, size, [forwards], [off.to(forwards.dtype)]))


def evaluated(op: str, operands: list[torch.Tensor]) -> torch.Tensor:
    """One after another, rounded at each step."""
    result = operands[0].clone()
    for operand in operands[1:]:
        result = result * operand if op == "product" else result + operand
    return result / len(operands) if op == "avg" else result


def test_bits_are_compared_where_nothing_is_rounded() -> None:
    call = Call("broadcast", 0, dtype="float32", shapes=((3,),))
    key = (7, 0, 0, 0)
    zeros = torch.zeros(3)
    assert difference(call, key, 2, [zeros], [-zeros]) is not None
    not_numbers = inputs.bits((1000,), torch.float16, key)
    assert not_numbers.isnan().any()
    assert difference(call, key, 2, [not_numbers], [not_numbers.clone()]) is None
    assert difference(call, key, 2, [zeros], []) == "0 results, expected 1"
    assert difference(call, key, 2, [["text"]], [["test"]]) is not None
