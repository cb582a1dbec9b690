"""The package: who imports whom, and what an import loads."""

from __future__ import annotations

import ast
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
LAYERS = ["physics", "envs", "agents", "benchmarks"]


def test_imports_point_one_way():
    checked = 0
    for level, layer in enumerate(LAYERS):
        allowed = set(LAYERS[: level + 1])
        for path in (ROOT / layer).rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text())):
                names = []
                if isinstance(node, ast.Import):
                    names = [alias.name for alias in node.names]
                elif isinstance(node, ast.ImportFrom):
                    assert node.level == 0, f"{path} has a relative import"
                    names = [node.module or ""]
                for name in names:
                    parts = name.split(".")
                    assert parts[0] not in LAYERS, f"{path} imports the bare name {name}"
                    if parts[0] == "mattergym" and len(parts) > 1:
                        assert parts[1] in allowed, f"{path} imports {name}"
                    checked += 1
    assert checked > 50


def test_import_loads_nothing_heavy():
    code = (
        "import sys, mattergym; heavy = {'torch', 'stable_baselines3', 'botorch', 'matplotlib',"
        "'mattergym.envs.synthesis', 'numba'}; print(sorted(heavy & set(sys.modules)))"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert out.stdout.strip() == "[]"


USE = """
import gymnasium as gym, mattergym, pathlib
from mattergym.agents import make_agent
from mattergym.benchmarks.evaluate import evaluate
assert pathlib.Path(mattergym.__file__).parent.parent == pathlib.Path({target!r})
for task in mattergym.envs.TASKS:
    gym.make(task).reset(seed=0)
assert evaluate("mattergym/IsingReversal-v0", "expert", 2, env_kwargs={{"observation": "clock"}})
"""


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["wheel", "sdist", "folder"])
def test_installs_nothing_but_mattergym_and_works_from_elsewhere(kind, tmp_path):
    source = tmp_path / "source"
    names = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(names, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    for name in filter(None, listed.split("\0")):
        (source / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, source / name)
    what = source
    if kind != "folder":
        command = [sys.executable, "-m", "build", f"--{kind}", "--outdir", str(tmp_path), source]
        subprocess.run(command, check=True, capture_output=True)
        what = next(tmp_path.glob("*.whl" if kind == "wheel" else "*.tar.gz"))
    target = tmp_path / "target"
    command = [sys.executable, "-m", "pip", "install", "--no-deps", "--target", target, what]
    subprocess.run(command, check=True, capture_output=True)
    installed = {path.name for path in target.iterdir() if not path.name.endswith(".dist-info")}
    assert installed - {"bin"} == {"mattergym"}
    subprocess.run(
        [sys.executable, "-c", USE.format(target=str(target))],
        check=True,
        cwd=tmp_path,
        env={"PYTHONPATH": str(target), "PATH": "/usr/bin:/bin"},
    )
