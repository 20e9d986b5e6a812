"""The doctor's checks of the machine, on recorded files."""

from __future__ import annotations

import errno
from pathlib import Path

import pytest

from allred.cli.doctor import cores, hardware, kernel, memory
from allred.cli.doctor.check import Check, Sources, format_bytes

NODE = "sys/devices/system/node/node"
CACHE = "sys/devices/system/cpu/cpu0/cache/index"
GPU = "proc/driver/nvidia/gpus/0000:01:00.0/information"


def record(root: Path, files: dict[str, str]) -> Sources:
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text + "\n")
    return Sources(root, variables={})


def in_version_2(limits: dict[str, str]) -> dict[str, str]:
    """Control groups of a container that sees its own as the top."""
    mount = "30 24 0:26 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw"
    files = {f"sys/fs/cgroup/{name}": text for name, text in limits.items()}
    return {"proc/self/cgroup": "0::/", "proc/self/mountinfo": mount, **files}


def outcome(check: Check) -> tuple[str, str]:
    """Status and what was found. Whatever is not well has advice."""
    assert check.status == "ok" or check.advice
    return check.status, check.found


@pytest.mark.parametrize(
    ("allowed", "online", "expected"),
    [
        ({0, 1, 2, 3}, "0-3", ("ok", "4 of 4 cores: 0-3")),
        ({0, 2, 3, 8}, "0-11", ("ok", "4 of 12 cores: 0,2-3,8")),
        ({5}, "0-3,5", ("warning", "1 of 5 cores: 5")),
    ],
)
def test_affinity(tmp_path: Path, allowed: set[int], online: str, expected: tuple[str, str]) -> None:
    assert outcome(cores.affinity(record(tmp_path, {"sys/devices/system/cpu/online": online}), allowed)) == expected


@pytest.mark.parametrize(
    ("limit", "expected", "ranks"),
    [
        ("max 100000", ("ok", "no limit"), "4 ranks"),
        ("200000 100000", ("ok", "2 cores"), "2 ranks"),
        ("350000 100000", ("warning", "3.5 cores"), "3 ranks"),
        ("50000 100000", ("problem", "0.5 cores: less than one rank needs"), "1 rank"),
    ],
)
def test_quota(tmp_path: Path, limit: str, expected: tuple[str, str], ranks: str) -> None:
    sources = record(tmp_path, in_version_2({"cpu.max": limit}))
    assert outcome(cores.quota(sources)) == expected
    assert outcome(cores.cores_a_rank(sources, allowed={0, 1, 2, 3}))[1].startswith(f"{ranks} would have a core each")


MEMINFO = "MemTotal:       16777216 kB\nMemFree: 1 kB\nMemAvailable:    8388608 kB"


@pytest.mark.parametrize(
    ("meminfo", "expected"),
    [
        (MEMINFO, ("ok", "16 GiB, 8 GiB available")),
        (MEMINFO.replace("8388608", "102400"), ("warning", "16 GiB, 100 MiB available")),
        ("", ("warning", "/proc/meminfo cannot be read")),
    ],
)
def test_memory(tmp_path: Path, meminfo: str, expected: tuple[str, str]) -> None:
    assert outcome(memory.memory(record(tmp_path, {"proc/meminfo": meminfo}))) == expected


@pytest.mark.parametrize(
    ("limit", "expected"),
    [
        ("max", ("ok", "no limit")),
        (str(64 << 30), ("ok", "no limit")),  # more than the machine has
        (str(2 << 30), ("ok", "at most 2 GiB")),
        (str(64 << 20), ("warning", "at most 64 MiB")),
    ],
)
def test_memory_of_the_control_group(tmp_path: Path, limit: str, expected: tuple[str, str]) -> None:
    sources = record(tmp_path, {"proc/meminfo": MEMINFO, **in_version_2({"memory.max": limit})})
    assert outcome(memory.cgroup_memory(sources)) == expected


def refuse(error: int) -> OSError:
    return OSError(error, {errno.EPERM: "Operation not permitted", errno.ENOSYS: "Function not implemented"}[error])


def test_shared_memory_that_the_system_refuses() -> None:
    def reserve(_: int) -> None:
        raise refuse(errno.EPERM)

    assert outcome(memory.shared_memory(Sources()))[0] == "ok"
    found = memory.shared_memory(Sources(), reserve)
    assert outcome(found) == ("problem", "memfd_create and fallocate: Operation not permitted")


@pytest.mark.parametrize(("limit", "status"), [(-1, "ok"), (65536, "ok"), (512, "warning"), (64, "problem")])
def test_open_files(limit: int, status: str) -> None:
    assert outcome(memory.open_files(Sources(), limit))[0] == status


def test_locked_memory() -> None:
    assert outcome(memory.locked_memory(Sources(), 8 << 20)) == ("ok", "8 MiB; allred locks none")


@pytest.mark.parametrize(
    ("error", "files", "found", "advice"),
    [
        (errno.EPERM, {"proc/sys/kernel/yama/ptrace_scope": "1"}, "ptrace_scope is 1", "sysctl"),
        (errno.EPERM, {"proc/self/status": "Name: x\nSeccomp:\t2"}, "a seccomp filter is active", "SYS_PTRACE"),
        (errno.EPERM, {"proc/self/status": "Name: x\nSeccomp:\t0"}, "Operation not permitted", "one user"),
        (errno.ENOSYS, {}, "Function not implemented", "profile that allows process_vm_readv"),
    ],
)
def test_remote_reads_that_the_system_refuses(
    tmp_path: Path, error: int, files: dict[str, str], found: str, advice: str
) -> None:
    check = kernel.remote_reads(record(tmp_path, files), lambda: error)
    assert check.status == "warning"
    assert found in check.found
    assert advice in check.advice


def test_remote_reads_are_really_tried() -> None:
    assert kernel.remote_reads(Sources(), lambda: 0).status == "ok"
    assert kernel.read_between_processes() in (0, errno.EPERM, errno.ENOSYS)


def test_pidfd_and_membarrier() -> None:
    def refused() -> None:
        raise refuse(errno.ENOSYS)

    assert outcome(kernel.pidfd(Sources(), lambda: None))[0] == "ok"
    assert outcome(kernel.pidfd(Sources(), refused)) == ("warning", "pidfd_open: Function not implemented")
    assert outcome(kernel.membarrier(Sources(), present=True))[0] == "ok"
    assert outcome(kernel.membarrier(Sources(), present=False))[0] == "warning"


def test_simd() -> None:
    assert outcome(hardware.simd(Sources(), ["scalar", "baseline", "avx2"]))[0] == "ok"
    assert outcome(hardware.simd(Sources(), ["scalar", "baseline"])) == (
        "warning",
        "baseline; available: scalar, baseline",
    )


def test_caches(tmp_path: Path) -> None:
    files: dict[str, str] = {}
    for index, (level, kind, size, shared) in enumerate(
        [("1", "Data", "32K", "0"), ("1", "Instruction", "32K", "0"), ("3", "Unified", "32768K", "0-7,16-23")]
    ):
        named = {"level": level, "type": kind, "size": size, "shared_cpu_list": shared}
        files |= {f"{CACHE}{index}/{name}": text for name, text in named.items()}
    assert outcome(hardware.caches(record(tmp_path, files))) == ("ok", "L1 32K for 1, L3 32768K for 16 core(s)")
    assert outcome(hardware.caches(Sources(tmp_path / "none")))[0] == "absent"


def test_numa(tmp_path: Path) -> None:
    one = record(tmp_path / "one", {f"{NODE}0/cpulist": "0-3"})
    assert outcome(hardware.numa(one)) == ("ok", "one domain; node0: cores 0-3")
    two = hardware.numa(record(tmp_path / "two", {f"{NODE}0/cpulist": "0-3", f"{NODE}1/cpulist": "4-7"}))
    assert outcome(two) == ("ok", "2 domains; node0: cores 0-3, node1: cores 4-7")
    assert "--bind-to core" in two.advice
    assert outcome(hardware.numa(Sources(tmp_path / "none")))[0] == "absent"


def test_network(tmp_path: Path) -> None:
    net = "sys/class/net"
    files = {f"{net}/lo/operstate": "unknown", f"{net}/eth0/operstate": "up", f"{net}/eth0/speed": "25000"}
    files |= {f"{net}/eth1/operstate": "down", f"{net}/eth1/speed": "-1"}
    found = outcome(hardware.network(record(tmp_path, files)))
    assert found == ("ok", "eth0 up 25 Gbit/s; eth1 down, speed not known; not needed on one host")
    assert outcome(hardware.network(Sources(tmp_path / "none")))[0] == "absent"


def test_cuda(tmp_path: Path) -> None:
    none = hardware.cuda(record(tmp_path / "none", {}))
    assert outcome(none) == ("absent", "no device, no nvcc")
    device = record(tmp_path / "one", {GPU: "Model: \t\t NVIDIA H200\nIRQ: 1"})
    assert outcome(hardware.cuda(device, nvcc="/cuda/nvcc")) == ("ok", "1 device(s): NVIDIA H200; nvcc: /cuda/nvcc")


@pytest.mark.parametrize(
    ("number", "text"), [(512, "512 B"), (132 << 10, "132 KiB"), (3.5 * (1 << 20), "3.5 MiB"), (1 << 42, "4 TiB")]
)
def test_bytes(number: float, text: str) -> None:
    assert format_bytes(number) == text
