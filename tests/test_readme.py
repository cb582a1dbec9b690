"""The README's Python blocks run as they stand."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from mattergym.benchmarks.table import BEGIN, END, readme_table
from mattergym.envs import TASKS

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"```python\n(.*?)```", README, re.S)


@pytest.mark.parametrize("block", BLOCKS, ids=lambda block: block.splitlines()[-1][:30])
def test_readme_block_runs(block):
    shorter = block.replace("64_000", "6_400").replace("range(100):  # REINFORCE", "range(2):  #")
    exec(compile(shorter, "README.md", "exec"), {})


def test_the_task_table_lists_every_task_and_its_links_lead_somewhere():
    rows = dict(re.findall(r"^\| \[`([\w/-]+)`\]\(([\w/.]+)\) \|", README, re.M))
    assert list(rows) == list(TASKS)
    for target in rows.values():
        assert (ROOT / target).is_file()


def test_the_results_are_what_the_code_makes_of_the_result_files():
    shown = README.split(BEGIN)[1].split(END)[0]
    assert shown.strip() == readme_table(ROOT / "benchmarks" / "results" / "full").strip()
