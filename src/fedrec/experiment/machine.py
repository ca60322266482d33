"""What this machine has: memory before the work, peak memory after it, and the facts printed beside a figure."""

from __future__ import annotations

import os
import platform
import sys
from importlib.metadata import PackageNotFoundError, version

from fedrec.contract import Algorithm, Catalog, ConfigError
from fedrec.kernels.lanes import threads


def available_memory() -> int | None:
    """Return the bytes of memory that are free for use, or None where the system does not say."""
    try:
        with open("/proc/meminfo") as file:
            for line in file:
                if line.startswith("MemAvailable:"):
                    return int(line.split()[1]) * 1024
    except OSError:
        pass
    try:
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, ValueError, OSError):
        return None


def refuse_beyond_memory(algorithm: Algorithm, catalog: Catalog) -> int:
    """Return the estimate in bytes, or refuse before the work where the machine does not have it."""
    estimate = algorithm.memory_estimate(catalog)
    free = available_memory()
    if free is not None and estimate > free:
        raise ConfigError(
            f"{algorithm.name} on {catalog.n_items:,} items needs about {estimate / 1e9:,.1f} GB, and this machine has "
            f"{free / 1e9:,.1f} GB free; a cheaper algorithm for so many items: lowpass, fedmf or popularity, "
            f"or slist with --set rank=128"
        )
    return estimate


def peak_rss_bytes() -> int:
    """Return the largest resident size of this process so far, bytes (0 where the system does not say)."""
    try:
        import resource
    except ImportError:
        return 0
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return int(peak if sys.platform == "darwin" else peak * 1024)


def environment() -> dict[str, str]:
    """Return versions and machine facts that decide a figure; nothing that names the machine or its user."""
    facts: dict[str, str] = {
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.machine()}",
        "cores": str(os.cpu_count() or 0),
        "threads": str(threads()),
    }
    for package in ("fedrec", "numpy", "scipy", "numba", "polars"):
        try:
            facts[package] = version(package)
        except PackageNotFoundError:
            facts[package] = "not installed"
    return facts
