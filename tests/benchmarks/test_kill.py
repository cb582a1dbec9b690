"""A sweep that is killed by SIGKILL and started again gives what an uninterrupted one gives."""

from __future__ import annotations

import json
import signal
import subprocess
import sys

CODE = """
import sys
from pathlib import Path
from mattergym.benchmarks.run import run
from mattergym.benchmarks.sweep import Cell
plan = [Cell("mattergym/IsingReversal-v0", "clock", a, s, 0, 5)
        for s in range(3) for a in ("random", "scripted", "expert")]
run(plan, Path(sys.argv[1]), report=lambda cell, status: print(status, flush=True))
"""


def results(folder):
    found = {}
    for path in sorted(folder.glob("*.json")):
        content = json.loads(path.read_text())
        content.pop("wall_s")
        found[path.name] = content
    return found


def test_kill_and_resume(tmp_path):
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    subprocess.run([sys.executable, "-c", CODE, str(whole)], check=True, capture_output=True)
    with subprocess.Popen(
        [sys.executable, "-c", CODE, str(killed)], stdout=subprocess.PIPE, text=True
    ) as process:
        process.stdout.readline()
        process.stdout.readline()
        process.send_signal(signal.SIGKILL)
    assert 2 <= len(results(killed)) < 9
    subprocess.run([sys.executable, "-c", CODE, str(killed)], check=True, capture_output=True)
    assert results(killed) == results(whole)
