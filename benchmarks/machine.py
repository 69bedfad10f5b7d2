"""What a measurement ran on, in one line."""

import os
import platform
import re
from pathlib import Path

import psutil


def machine(information: Path = Path("/proc/cpuinfo")) -> str:
    """Returns processor, cores that this process may use, and memory.

    Args:
        information: what Linux says about the processors; elsewhere only the architecture is known.
    """
    text = information.read_text() if information.exists() else ""
    name = re.search(r"^model name\s*: (.+)$", text, flags=re.MULTILINE)
    allowed = getattr(os, "sched_getaffinity", None)
    cores = len(allowed(0)) if allowed else os.cpu_count() or 1
    memory = psutil.virtual_memory().total / 2**30
    processor = name[1].strip() if name else platform.machine()
    return f"{processor}, {cores} core{'s' * (cores > 1)}, {memory:.0f} GiB"
