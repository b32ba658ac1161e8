"""A study killed at any moment ends like one that nobody disturbed."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest


@pytest.mark.skipif(sys.platform == "win32", reason="needs fork")
def test_kills_at_twenty_random_moments_leave_no_trace(tmp_path):
    script = Path(__file__).with_name("killed_study.py")
    path = os.pathsep.join([str(script.parent), *sys.path])
    done = subprocess.run(
        [sys.executable, "-W", "error", script, tmp_path, "20", "11"],
        capture_output=True,
        text=True,
        check=False,
        env=os.environ | {"PYTHONPATH": path},
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("20 kills, ")
