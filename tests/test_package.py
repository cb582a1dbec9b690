"""The package: who imports whom, and what an import loads."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

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
