"""The machine as the standard library sees it: for `doctor`, result rows and precision."""

import os
import platform
from pathlib import Path

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
    has = {key: None if flags is None else need <= set(flags) for key, need in CPU_FEATURES.items()}
    return {
        "system": f"{platform.system()} {platform.machine()}",
        "processor": name,
        "cores": len(os.sched_getaffinity(0))
        if hasattr(os, "sched_getaffinity")
        else os.cpu_count(),
        "memory_gib": _memory_gib(),
        "features": has,
    }


def _memory_gib() -> float | None:
    try:
        return round(os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / 2**30, 1)
    except (AttributeError, ValueError, OSError):
        return None
