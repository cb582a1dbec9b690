"""Two trees of MatterGym side by side: a revision of git, the working tree, and their processes."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from mattergym.benchmarks.speed import timing

# Folders of a checkout that are packages of MatterGym, beside src/mattergym.
PACKAGES = ("agents", "benchmarks", "envs", "physics")
# One thread, as everywhere in this package.
THREADS = {"NUMBA_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}


class TreeError(ValueError):
    """A tree that cannot be found or played; the sentence says why."""


def git(root: Path, *arguments: str) -> str:
    """Run git in a folder and return what it prints.

    Raises
    ------
    TreeError
        If it fails; the sentence is git's own.
    """
    command = ["git", "-C", str(root), *arguments]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        raise TreeError((done.stderr.strip() or f"git {arguments[0]} failed").splitlines()[-1])
    return done.stdout.strip()


def working_tree() -> Path:
    """Root of the checkout of MatterGym that the current folder is in; raises TreeError."""
    try:
        root = Path(git(Path.cwd(), "rev-parse", "--show-toplevel"))
    except TreeError:
        root = Path.cwd()
    if not (root / "src" / "mattergym").is_dir():
        raise TreeError(f"{root} is not a git checkout of MatterGym")
    return root


def commit_of(root: Path, revision: str) -> str:
    """Hash of the commit that a revision names; raises TreeError."""
    try:
        name = f"{revision}^{{commit}}"
        return git(root, "rev-parse", "--verify", "--quiet", "--end-of-options", name)
    except TreeError:
        raise TreeError(f"against = {revision!r} is not a revision of {root}") from None


def link_package(tree: Path, folder: Path) -> Path:
    """Make a package of links to the sources of a tree in a new folder, as if it were installed.

    Raises
    ------
    TreeError
        If the sources of MatterGym are not where they are looked for.
    """
    package = folder / "mattergym"
    package.mkdir(parents=True)
    sources = [*(tree / "src" / "mattergym").glob("*.py"), *(tree / name for name in PACKAGES)]
    missing = [path.name for path in sources if not path.exists()]
    if missing or not (tree / "src" / "mattergym" / "__init__.py").exists():
        raise TreeError(f"{tree} has no {', '.join(missing) or 'src/mattergym'}")
    for path in sources:
        (package / path.name).symlink_to(path)
    return folder


@contextmanager
def packages(root: Path, commit: str) -> Iterator[tuple[Path, Path]]:
    """Folders with the packages of a commit and of the working tree, for a while."""
    # Resolved, as paths of modules are.
    with tempfile.TemporaryDirectory(prefix="mattergym-against-") as name:
        folder = Path(name).resolve()
        worktree = folder / commit
        try:
            without_hooks = ("-c", "core.hooksPath=/dev/null")
            git(root, *without_hooks, "worktree", "add", "--detach", str(worktree), commit)
            yield link_package(worktree, folder / "old"), link_package(root, folder / "new")
        finally:
            subprocess.run(
                ["git", "-C", str(root), "worktree", "remove", "--force", str(worktree)],
                capture_output=True,
            )


class Process:
    """A process that plays the package of a folder.

    It has a session of its own, so that Ctrl-C reaches only its parent, which ends it.
    """

    def __init__(self, folder: Path) -> None:
        self._errors = (folder / "errors").open("w+")
        self._process = subprocess.Popen(
            [sys.executable, "-P", str(Path(timing.__file__)), str(folder)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            env={**os.environ, **THREADS, "NUMBA_CACHE_DIR": str(folder / "numba")},
            text=True,
            start_new_session=True,
        )

    def ask(self, **request: Any) -> None:
        """Send a request, see :func:`mattergym.benchmarks.speed.timing.answers`."""
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(json.dumps(request) + "\n")
            self._process.stdin.flush()
        except BrokenPipeError:
            pass  # the answer says why

    def answer(self) -> dict[str, Any]:
        """Wait for the answer; where the process has ended, ``error`` is the last it wrote."""
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if line:
            return json.loads(line)
        self._errors.seek(0)
        written = self._errors.read().strip().splitlines()
        return {"error": written[-1] if written else "the process ended"}

    def seconds(self, steps: int) -> float:
        """Play some steps.

        Raises
        ------
        TreeError
            If the environment does.
        """
        self.ask(play=steps)
        answer = self.answer()
        if "error" in answer:
            raise TreeError(answer["error"])
        return float(answer["seconds"])

    def close(self) -> None:
        """End the process."""
        self._process.kill()
        self._process.communicate()
        self._errors.close()
