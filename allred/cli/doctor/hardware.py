"""The processor and what is beside it: caches, NUMA, SIMD, network interfaces, GPUs."""

from __future__ import annotations

import re
import shutil

from allred import _core, host
from allred.cli.doctor.check import ABSENT, OK, WARNING, Check, Sources
from allred.cli.doctor.cores import count_of

_CPU0 = "/sys/devices/system/cpu/cpu0"
_NODES = "/sys/devices/system/node"
_WIDE = ("avx2", "avx512", "avx512_bf16", "neon")


def simd(_: Sources, isas: list[str] | None = None) -> Check:
    """The instruction sets that reductions can use here."""
    available = _core.available_isas() if isas is None else isas
    best = _core.best_isa() if isas is None else available[-1]
    found = f"{best}; available: {', '.join(available)}"
    if any(isa in available for isa in _WIDE):
        return Check("SIMD", OK, found)
    advice = "reductions are slower; in a virtual machine, pass the host's processor through: -cpu host"
    return Check("SIMD", WARNING, found, advice)


def caches(sources: Sources) -> Check:
    """The caches that the first core sees, and how many cores share each."""
    parts = []
    for index in sources.names(f"{_CPU0}/cache"):
        level, kind, size, shared = (
            sources.text(f"{_CPU0}/cache/{index}/{name}") for name in ("level", "type", "size", "shared_cpu_list")
        )
        if level and size and kind != "Instruction":
            parts.append(f"L{level} {size} for {count_of(shared or '0')}")
    if parts:
        return Check("caches", OK, ", ".join(parts) + " core(s)")
    return Check("caches", ABSENT, "the system does not say", "nothing: large results are written through the caches")


def numa(sources: Sources) -> Check:
    """The domains of memory."""
    nodes = [name for name in sources.names(_NODES) if re.fullmatch(r"node\d+", name)]
    if not nodes:
        return Check("NUMA", ABSENT, "the system does not say", "nothing, unless the machine has several sockets")
    found = ", ".join(f"{name}: cores {sources.text(f'{_NODES}/{name}/cpulist')}" for name in nodes)
    if len(nodes) == 1:
        return Check("NUMA", OK, f"one domain; {found}")
    return Check("NUMA", OK, f"{len(nodes)} domains; {found}", "bind ranks, so that memory is near: --bind-to core")


def network(sources: Sources) -> Check:
    """The interfaces, but for the loopback."""
    parts = []
    for name in sources.names("/sys/class/net"):
        state = sources.text(f"/sys/class/net/{name}/operstate")
        if name == "lo" or state is None:
            continue
        speed = sources.text(f"/sys/class/net/{name}/speed") or "-1"
        known = speed.isdecimal() and int(speed) > 0
        parts.append(f"{name} {state}" + (f" {int(speed) / 1000:g} Gbit/s" if known else ", speed not known"))
    if parts:
        return Check("network", OK, "; ".join(parts) + "; not needed on one host")
    return Check("network", ABSENT, "no interface but the loopback", "nothing: the ranks of one host need none")


def cuda(sources: Sources, nvcc: str | None = None) -> Check:
    """The compiler and the devices of NVIDIA's GPUs."""
    compiler = nvcc or shutil.which("nvcc", path=sources.variables.get("PATH", ""))
    devices = sources.names("/proc/driver/nvidia/gpus")
    models = {sources.field(f"/proc/driver/nvidia/gpus/{device}/information", "Model") for device in devices}
    note = "allred has no CUDA code yet: it works on CPU tensors"
    if not devices and compiler is None:
        return Check("CUDA", ABSENT, "no device, no nvcc", note)
    found = f"{len(devices)} device(s)" + (f": {', '.join(sorted(filter(None, models)))}" if devices else "")
    return Check("CUDA", OK, f"{found}; nvcc: {compiler or 'not found'}", note)


def processor(_: Sources) -> Check:
    """By which name tables of `allred tune` know it."""
    return Check("processor", OK, f"{host.cpu_model()}, {host.num_cores()} cores")
