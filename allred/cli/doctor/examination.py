"""All checks of one rank, and what the ranks of a job found together."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict

import numpy as np

import allred
from allred.cli.doctor import cores, footprint, hardware, kernel, memory, software, tables
from allred.cli.doctor.check import OK, PROBLEM, WARNING, Check, Sources, format_bytes
from allred.communicator import Communicator
from allred.errors import Error

# In the order of the report. Those that start threads come last: a process with threads should not fork.
CHECKS = (
    hardware.processor,
    cores.affinity,
    cores.quota,
    cores.cores_a_rank,
    hardware.simd,
    hardware.caches,
    hardware.numa,
    memory.memory,
    memory.cgroup_memory,
    memory.shared_memory,
    memory.open_files,
    memory.locked_memory,
    kernel.remote_reads,
    kernel.pidfd,
    kernel.membarrier,
    hardware.network,
    hardware.cuda,
    software.mpi,
    software.started_by,
    software.settings,
    tables.table,
    footprint.footprint,
    software.torch,
)


def examine(sources: Sources) -> list[Check]:
    """Everything that one process can find out alone."""
    return [check(sources) for check in CHECKS]


def join(own: Sequence[Check], timeout: float) -> list[list[Check]]:
    """Every rank's checks, in rank order; the first rank's end with one of the job. Collective over the job.

    Where the ranks cannot be joined, this rank's alone, with the reason.
    """
    try:
        with allred.init(timeout=timeout, tuning="off", all_reduce_algorithm="auto") as communicator:
            ranks = _exchange(own, communicator)
            job = _job(communicator)
    except Error as error:
        advice = "see the error; the ranks have to be on one host and in one network namespace"
        return [[*own, Check("job", PROBLEM, str(error), advice)]]
    return [[*checks, job] for checks in ranks]


def _exchange(own: Sequence[Check], communicator: Communicator) -> list[list[Check]]:
    text = json.dumps([asdict(check) for check in own]).encode()
    longest = int(communicator.all_gather(np.array([len(text)])).max())
    padded = np.frombuffer(text.ljust(longest), np.uint8)
    rows = communicator.all_gather(padded)
    return [[Check(**found) for found in json.loads(row.tobytes())] for row in rows]


def _job(communicator: Communicator) -> Check:
    size, cores_found = communicator.size, communicator.num_cores
    busy = footprint.computed(size, communicator.config.staging_bytes).busy
    found = f"{size} ranks joined, on {cores_found} cores together; {format_bytes(busy)} of shared memory a busy rank"
    if cores_found >= size:
        return Check("job", OK, found)
    return Check("job", WARNING, found, f"ranks take turns; start at most {cores_found}, or give them more cores")
