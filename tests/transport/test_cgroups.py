"""Control groups, on recorded trees of /proc and /sys."""

from __future__ import annotations

from pathlib import Path

import pytest

from allred import _core

V2_MOUNT = "30 24 0:26 / /sys/fs/cgroup rw,nosuid shared:9 - cgroup2 cgroup2 rw,nsdelegate"
V1_CPU_MOUNT = "32 31 0:29 {folder} /sys/fs/cgroup/cpu,cpuacct rw,relatime - cgroup cgroup rw,cpu,cpuacct"
V1_MEMORY_MOUNT = "35 31 0:32 / /sys/fs/cgroup/memory rw,relatime - cgroup cgroup rw,memory"
OTHER_MOUNT = "22 27 0:21 / /proc rw,relatime - proc proc rw"


def record(root: Path, groups: str, mounts: list[str], files: dict[str, str]) -> str:
    """Writes /proc/self and what lies below /sys/fs/cgroup; returns the root."""
    contents = {"proc/self/cgroup": groups, "proc/self/mountinfo": "\n".join([OTHER_MOUNT, *mounts]) + "\n"}
    contents |= {f"sys/fs/cgroup/{name}": text for name, text in files.items()}
    for name, text in contents.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    (root / "sys/fs/cgroup").mkdir(parents=True, exist_ok=True)
    return str(root)


@pytest.mark.parametrize(
    ("files", "cores"),
    [
        ({"jobs/a/cpu.max": "150000 100000\n"}, 1.5),
        ({"jobs/a/cpu.max": "max 100000\n"}, None),
        ({"jobs/a/cpu.max": "max 100000\n", "jobs/cpu.max": "200000 100000\n"}, 2),
        ({"jobs/a/cpu.max": "400000 100000\n", "jobs/cpu.max": "50000 25000\n"}, 2),
        ({"jobs/a/cpu.max": "100000 100000\n", "jobs/cpu.max": "800000 100000\n"}, 1),
        ({"cpu.max": "300000 100000\n"}, 3),
        ({"jobs/b/cpu.max": "100000 100000\n"}, None),
        ({"jobs/a/cpu.max": "strange\n"}, None),
        ({}, None),
    ],
)
def test_version_2_takes_the_least_up_the_path(tmp_path: Path, files: dict[str, str], cores: float | None) -> None:
    assert _core.cpu_quota(record(tmp_path, "0::/jobs/a\n", [V2_MOUNT], files)) == cores


@pytest.mark.parametrize(
    ("quota", "period", "cores"), [("-1", "100000", None), ("250000", "100000", 2.5), ("50000", "100000", 0.5)]
)
def test_version_1(tmp_path: Path, quota: str, period: str, cores: float | None) -> None:
    folder = "cpu,cpuacct/docker/1f"
    files = {f"{folder}/cpu.cfs_quota_us": quota + "\n", f"{folder}/cpu.cfs_period_us": period + "\n"}
    groups = "5:memory:/docker/1f\n4:cpu,cpuacct:/docker/1f\n0::/\n"
    root = record(tmp_path, groups, [V1_CPU_MOUNT.format(folder="/"), V1_MEMORY_MOUNT], files)
    assert _core.cpu_quota(root) == cores


def test_a_container_that_sees_its_path_from_outside(tmp_path: Path) -> None:
    """The mount begins at the container's own folder, while /proc/self/cgroup has the path on the host."""
    files = {"cpu,cpuacct/cpu.cfs_quota_us": "200000\n", "cpu,cpuacct/cpu.cfs_period_us": "100000\n"}
    files |= {"cpu,cpuacct/sub/cpu.cfs_quota_us": "100000\n", "cpu,cpuacct/sub/cpu.cfs_period_us": "100000\n"}
    mounts = [V1_CPU_MOUNT.format(folder="/docker/1f")]
    assert _core.cpu_quota(record(tmp_path, "4:cpu,cpuacct:/docker/1f\n", mounts, files)) == 2
    assert _core.cpu_quota(record(tmp_path, "4:cpu,cpuacct:/docker/1f/sub\n", mounts, files)) == 1


def test_a_path_outside_the_name_space(tmp_path: Path) -> None:
    root = record(tmp_path, "0::/../other\n", [V2_MOUNT], {"cpu.max": "200000 100000\n"})
    assert _core.cpu_quota(root) == 2


def test_a_hybrid_system_has_each_controller_in_one_version(tmp_path: Path) -> None:
    groups = "5:memory:/job\n0::/job\n"
    mounts = [V2_MOUNT, V1_MEMORY_MOUNT]
    root = record(tmp_path, groups, mounts, {"job/cpu.max": "100000 100000\n", "memory/job/memory.limit_in_bytes": "1"})
    assert _core.cpu_quota(root) == 1
    top = f"{root}/sys/fs/cgroup"
    assert _core.cgroup_folders("memory", root) == [f"{top}/memory/job", f"{top}/memory"]
    assert _core.cgroup_folders("cpu", root) == [f"{top}/job", top]


def test_no_control_groups(tmp_path: Path) -> None:
    assert _core.cpu_quota(str(tmp_path)) is None
    assert _core.cgroup_folders("memory", str(tmp_path)) == []


@pytest.mark.parametrize(
    ("ranks", "cores"),
    [
        ([("0,1", 0.0, ""), ("0,1", 0.0, "")], 2),
        ([("0", 0.0, ""), ("1", 0.0, ""), ("1,2", 0.0, "")], 3),
        ([("0,1,2,3", 2.0, "a")] * 4, 2),
        ([("0,1,2,3", 1.9, "a")] * 2, 1),
        ([("0,1,2,3", 0.5, "a")] * 2, 1),
        ([("0,1,2,3", 1.5, "a"), ("0,1,2,3", 1.5, "b")], 3),
        ([("0,1", 8.0, "a"), ("0,1", 8.0, "a")], 2),
        ([("0,1,2,3", 1.0, "a"), ("0,1,2,3", 0.0, "")], 4),
    ],
)
def test_ranks_have_the_cores_that_affinity_and_quota_leave_them(
    ranks: list[tuple[str, float, str]], cores: int
) -> None:
    assert _core.count_cores(ranks) == cores
