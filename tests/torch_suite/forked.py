"""torch's own tests, each with its ranks forked from this process, which imports torch once for all of them.

torch's driver has every rank of every test import torch anew, for seconds of processor time each. All else is torch's:
how a rank starts its process group, the barriers around a test, and what its exit code means. The module of the tests
reads ``BACKEND`` and ``WORLD_SIZE`` as it is imported.
"""

from __future__ import annotations

import logging
import multiprocessing
import re
import signal
import time
import unittest
from collections.abc import Callable, Sequence

from outcome import FAIL, HANG, PASS, SKIP, Outcome
from torch.testing._internal import common_distributed
from torch.testing._internal.distributed.distributed_test import DistributedTest, TestDistBackend

SECONDS_TO_DIE = 10
FOR_MPI_ALONE = re.compile("Only MPI supports .*all_to_all")


class ForkedTest(TestDistBackend, DistributedTest._DistTestBase):
    """One of torch's tests; run by :func:`run_test` in the parent of the ranks."""

    hung = False

    def setUp(self) -> None:
        super().setUp()
        self._start_processes(multiprocessing.get_context("fork").Process)

    def tearDown(self) -> None:
        for process in self.processes:
            process.kill()  # torch only asks the ranks to end
            process.join(SECONDS_TO_DIE)
        super().tearDown()

    def _check_return_codes(self, fn: Callable[..., None], elapsed_time: float) -> None:
        """As torch's, which looks at the exit code of rank 0 alone; here no rank may crash, hang, or end otherwise."""
        codes = [process.exitcode for process in self.processes]
        if self.TEST_ERROR_EXIT_CODE not in codes:
            self._check_crashes(codes)
            self.hung = elapsed_time > common_distributed.get_timeout(self.id())
            if self.hung:
                raise RuntimeError(f"no end after {elapsed_time:.0f} s")
        super()._check_return_codes(fn, elapsed_time)
        if fn not in self.skip_return_code_checks and len(set(codes)) > 1:
            raise RuntimeError(f"the ranks' exit codes differ: {codes}")

    def _check_crashes(self, codes: Sequence[int | None]) -> None:
        """Ranks that hang are ended by SIGTERM before their codes are looked at."""
        crashes = {rank: -code for rank, code in enumerate(codes) if code and code < 0 and code != -signal.SIGTERM}
        if crashes:
            names = (f"rank {rank} of {signal.Signals(number).name}" for rank, number in crashes.items())
            raise RuntimeError("died: " + ", ".join(names))


class _Stacks(logging.Handler):
    """Keeps what torch logs in the parent when a test hangs: the Python stack of each rank."""

    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self.texts: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.texts.append(record.getMessage())


def offer_all_to_all() -> None:
    """Restores the tests of all-to-all on CPU tensors, which torch has skip whatever is not called "mpi"."""
    for name in test_names(""):
        test = getattr(ForkedTest, name)
        if FOR_MPI_ALONE.match(getattr(test, "__unittest_skip_why__", "")):
            test.__unittest_skip__ = False


def test_names(pattern: str) -> list[str]:
    """The suite's tests whose names match ``pattern``, a regular expression, anywhere."""
    return [name for name in unittest.TestLoader().getTestCaseNames(ForkedTest) if re.search(pattern, name)]


def run_test(name: str) -> Outcome:
    """Runs one test on as many forked ranks as ``WORLD_SIZE`` says, and leaves none of them behind."""
    test, result, stacks = ForkedTest(name), unittest.TestResult(), _Stacks()
    common_distributed.logger.addHandler(stacks)
    began = time.monotonic()
    try:
        test.run(result)
    finally:
        common_distributed.logger.removeHandler(stacks)
    seconds = round(time.monotonic() - began, 1)
    problems = [text for _, text in result.errors + result.failures]
    if test.hung:
        return Outcome(name, HANG, "\n".join(problems + stacks.texts), seconds)
    if problems:
        return Outcome(name, FAIL, "\n".join(problems), seconds)
    if result.skipped:
        return Outcome(name, SKIP, result.skipped[0][1], seconds)
    return Outcome(name, PASS, seconds=seconds)
