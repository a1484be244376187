"""The machine as the standard library sees it: for `doctor`, result rows and precision."""

import os
import platform
from pathlib import Path

MEMINFO, CGROUP = Path("/proc/meminfo"), Path("/sys/fs/cgroup")  # of Linux
# what matters to speed: name -> flags of /proc/cpuinfo, all needed
CPU_FEATURES = {
    "AVX2": {"avx2", "fma"},
    "AVX-512": {"avx512f", "avx512bw", "avx512vl"},
    "AVX-512 bf16": {"avx512_bf16"},
    "AMX bf16": {"amx_tile", "amx_bf16"},
}


def machine() -> dict:
    """Return system, processor, usable cores, memory in GiB and the CPU features that matter.

    A feature is None where this system does not tell.
    """
    name, flags = platform.processor() or platform.machine(), None
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.is_file():
        lines = [line.partition(":") for line in cpuinfo.read_text().splitlines()]
        facts = {key.strip(): value.strip() for key, _, value in lines}
        name, flags = facts.get("model name", name), facts.get("flags", "").split()
    whole = _memory()
    has = {key: None if flags is None else need <= set(flags) for key, need in CPU_FEATURES.items()}
    return {
        "system": f"{platform.system()} {platform.machine()}",
        "processor": name,
        "cores": len(os.sched_getaffinity(0))
        if hasattr(os, "sched_getaffinity")
        else os.cpu_count(),
        "memory_gib": whole and round(whole / 2**30, 1),
        "features": has,
    }


def free_memory() -> int | None:
    """Return how many bytes this process may still take, None where the system does not tell.

    Linux tells what is available, and what the container allows; of other systems it is half of
    the whole memory.
    """
    try:
        told = dict(line.split(":") for line in MEMINFO.read_text().splitlines())
        available = 1024 * int(told["MemAvailable"].split()[0])
    except (OSError, KeyError, ValueError):
        whole = _memory()
        return whole and whole // 2
    try:  # files that were read lately count as used there, but give way
        limit, used = (int((CGROUP / f"memory.{n}").read_text()) for n in ("max", "current"))
        stat = dict(line.split() for line in (CGROUP / "memory.stat").read_text().splitlines())
        return min(available, max(0, limit - used + int(stat["inactive_file"])))
    except (OSError, KeyError, ValueError):  # no such group, or "max": no limit
        return available


def _memory() -> int | None:
    try:
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, ValueError, OSError):
        return None
