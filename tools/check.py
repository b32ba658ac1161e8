"""Every check, in order, a line each; pytest comes last and has the last word. `python run.py test` runs it."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]

CHECKS = (
    ("format", "-m", "ruff", "format", "--check", "."),
    ("lint", "-m", "ruff", "check", "."),
    ("types", "-m", "basedpyright", "--pythonpath", sys.executable),
    ("imports", "-c", "from importlinter.cli import lint_imports_command as check; check()", "--no-logo"),
)
"""What the check is called, then the arguments to Python."""


def main(pytest_arguments: list[str]) -> int:
    """Nought where every check and every test passed."""
    failed = [name for name, *arguments in CHECKS if not passes(name, arguments)]
    if failed:
        print(f"{', '.join(failed)}: failed; the tests follow.", flush=True)
    workers = [] if any("xdist" in word for word in pytest_arguments) else ["-n", "2"]
    code = subprocess.run(
        [sys.executable, "-m", "pytest", *workers, *pytest_arguments], cwd=ROOT, check=False
    ).returncode
    return code or bool(failed)


def passes(name: str, arguments: list[str]) -> bool:
    """Whether the check exits with nought; one line where it does, all that it said where it does not."""
    started = time.monotonic()
    command = [sys.executable, *arguments]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, errors="replace", check=False)
    ok = done.returncode == 0
    if not ok:
        print(done.stdout + done.stderr)
    print(f"{'ok' if ok else 'FAILED':7}{name} ({time.monotonic() - started:.1f} s)", flush=True)
    return ok


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
