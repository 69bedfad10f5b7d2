"""Installs a hashed lock with pip, telling how far it is instead of pip's three hundred lines.

Usage: ``python requirements/install.py [--no-deps] LOCK``. Standard library only: it runs before
anything is installed.
"""

import re
import subprocess
import sys
import time
from pathlib import Path

SECONDS_BETWEEN_LOG_LINES = 15.0
LINES_SHOWN_ON_FAILURE = 15


def main(arguments: list[str]) -> int:
    """Runs pip on the lock that `arguments` end with, and returns pip's exit code."""
    *options, lock = arguments
    total = len(re.findall(r"^[\w.-]+==", Path(lock).read_text(), flags=re.MULTILINE))
    command = [sys.executable, "-m", "pip", "install", "--disable-pip-version-check", *options]
    command += ["--progress-bar", "off", "--require-hashes", "--requirement", lock]
    started = time.monotonic()
    on_terminal = sys.stdout.isatty()
    last_shown = started
    found = 0
    output: list[str] = []
    print(f"installing {lock} ({total} package{'s' * (total != 1)})", flush=True)
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as process:
        assert process.stdout is not None
        for line in process.stdout:
            output.append(line)
            found += line.startswith(("Collecting ", "Processing ", "Requirement already"))
            status = _status(line)
            if not status:
                continue
            if on_terminal:
                print(f"\r\033[K  {found}/{total} {status}", end="", flush=True)
            elif time.monotonic() - last_shown > SECONDS_BETWEEN_LOG_LINES:
                print(f"  {found}/{total} {status}", flush=True)
                last_shown = time.monotonic()
    if on_terminal:
        print("\r\033[K", end="")
    if process.returncode:
        print("".join(output[-LINES_SHOWN_ON_FAILURE:]), file=sys.stderr)
        print(f"error: pip could not install {lock}; its last words are above", file=sys.stderr)
    else:
        print(f"  done in {time.monotonic() - started:.0f} s", flush=True)
    return process.returncode


def _status(line: str) -> str:
    """Returns what pip is doing, in words that fit a line of a terminal."""
    if line.startswith("Installing collected packages"):
        return "unpacking"
    # "Collecting click==8.5.1 (from …)", "  Downloading click-8.5.1-py3-none-any.whl (126 kB)"
    match = re.match(r"\s*(?:Collecting|Downloading|Processing) (?:\S*/)?(\S+)(.*)", line)
    if not match:
        return ""
    size = re.search(r"\(([\d.]+ [kMG]B)\)", match[2])
    name = re.split(r"-\d|==", match[1])[0]
    return f"{name} ({size[1]})" if size else name


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
