"""What a result was made with: one hash of the sources behind a task and an agent.

A result whose fingerprint is not that of the sources that stand here is stale: another program made
it. Comments, layout and docstrings do not count.
"""

from __future__ import annotations

import ast
import hashlib
from functools import cache
from importlib.util import find_spec, resolve_name
from pathlib import Path
from typing import Any

import gymnasium as gym

from mattergym.agents import LEARNERS, recipe
from mattergym.agents.base import Recipe
from mattergym.envs import TASKS

ROOTS = ("mattergym.benchmarks.evaluate",)
# The catalogue names all tasks: of it only the task's own card counts. This file makes no result.
LEFT_OUT = ("mattergym.envs.registration", __name__)


def fingerprint(env_id: str, agent: object, track: str | None = None) -> str:
    """Hash the sources that make the results of an agent on a task.

    These are the modules that the task, its environment, the agent and
    :func:`mattergym.benchmarks.evaluate.evaluate` import, directly or not, of this package and of
    those that the task and the agent come from; the data files that they name; the task's place and
    tracks; the agent's parameters.

    Parameters
    ----------
    env_id : str
    agent : str or object with ``predict``
        A name, or the agent itself. One that is on no shelf of the task counts nothing: then the
        fingerprint is of the task and the evaluation alone.
    track : str, optional
        Default: the first of the task.

    Returns
    -------
    str
        32 hexadecimal digits.

    Raises
    ------
    KeyError
        If there is no such task.
    """
    card = TASKS[env_id]
    roots = [card.task, str(gym.spec(env_id).vector_entry_point), *ROOTS]
    parts = [card.task, repr([(t.name, sorted(t.kwargs.items())) for t in card.tracks])]
    name = agent if isinstance(agent, str) else str(getattr(agent, "name", ""))
    found = _recipe(env_id, track or card.tracks[0].name, name)
    if found is not None:
        made = found.agent
        home = (LEARNERS[made] if isinstance(made, str) else made.__module__).partition(":")[0]
        if isinstance(agent, str) or type(agent).__module__ == home:
            roots.append(home)
            parts += [found.name, repr(sorted(found.parameters.items()))]
    modules = closure(tuple(root.partition(":")[0] for root in roots))
    parts += [f"{module} {_read(module)[0]}" for module in modules]
    parts += [f"{path.name} {_digest(path)}" for path in data_files(modules)]
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:32]


def is_stale(content: dict[str, Any]) -> bool:
    """Whether the content of a result file was made by another version of the sources."""
    cell = content["cell"]
    expected = fingerprint(cell["env_id"], cell["agent"], cell["track"])
    return content["records"].get("fingerprint") != expected


def closure(roots: tuple[str, ...]) -> tuple[str, ...]:
    """Modules of the roots' packages that they import, directly or not, with the roots; sorted."""
    packages = {root.partition(".")[0] for root in roots}
    found: set[str] = set()
    waiting = list(roots)
    while waiting:
        module = waiting.pop()
        if module in found or module in LEFT_OUT or module.partition(".")[0] not in packages:
            continue
        found.add(module)
        waiting += _read(module)[1]
    return tuple(sorted(found))


def data_files(modules: tuple[str, ...]) -> list[Path]:
    """Files in the ``data`` folders beside the modules that one of their strings names; sorted."""
    sources = filter(None, map(_source, modules))
    folders = {source.parent / "data" for source in sources}
    named = {text for module in modules for text in _read(module)[2]}
    files = (path for folder in folders if folder.is_dir() for path in folder.iterdir())
    return sorted(path for path in files if any(path.name in text for text in named))


def source_digest(source: str) -> str:
    """Hash of what Python source says: its syntax tree without docstrings and positions."""
    return _tree_digest(_without_docstrings(ast.parse(source)))


def _recipe(env_id: str, track: str, name: str) -> Recipe | None:
    try:
        return recipe(env_id, track, name)
    except ValueError:
        return None


@cache
def _read(module: str) -> tuple[str, tuple[str, ...], tuple[str, ...]]:
    """Digest of a module, modules that it imports, its strings; empty if it is in no file."""
    source = _source(module)
    if source is None:
        return "", (), ()
    tree = _without_docstrings(ast.parse(source.read_text(encoding="utf-8")))
    strings = {
        node.value
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    }
    package = module if source.name == "__init__.py" else module.rpartition(".")[0]
    return _tree_digest(tree), tuple(sorted(_imports(tree, package))), tuple(sorted(strings))


def _imports(node: ast.AST, package: str) -> set[str]:
    """Modules of the same top-level package, or of this one, that a tree imports when it runs."""
    if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
        return set()
    names: list[str] = []
    if isinstance(node, ast.Import):
        names = [alias.name for alias in node.names]
    elif isinstance(node, ast.ImportFrom):
        base = node.module or ""
        if node.level:
            base = resolve_name("." * node.level + base, package)
        # What is no module is an attribute of the one that it is imported from.
        members = [f"{base}.{alias.name}" for alias in node.names]
        names = [name if _is_module(name) else base for name in members if _followed(name, package)]
    found = {name for name in names if _followed(name, package)}
    return found.union(*(_imports(child, package) for child in ast.iter_child_nodes(node)))


def _followed(module: str, package: str) -> bool:
    return module.partition(".")[0] in (package.partition(".")[0], "mattergym")


@cache
def _is_module(name: str) -> bool:
    try:
        return find_spec(name) is not None
    except ModuleNotFoundError:  # its parent is no package
        return False


def _source(module: str) -> Path | None:
    try:
        spec = find_spec(module)
    except ValueError:  # __main__ of a script or a session
        return None
    return Path(spec.origin) if spec is not None and spec.origin is not None else None


@cache
def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _tree_digest(tree: ast.Module) -> str:
    return hashlib.sha256(repr(_plain(tree)).encode()).hexdigest()


def _without_docstrings(tree: ast.Module) -> ast.Module:
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            first = node.body[0] if node.body else None
            if isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant):
                if isinstance(first.value.value, str):
                    node.body = node.body[1:]
    return tree


def _plain(node: Any) -> Any:
    """Nested tuples of a tree without empty fields, which versions of Python add and drop."""
    if isinstance(node, list):
        return tuple(map(_plain, node))
    if not isinstance(node, ast.AST):
        return node
    fields = ((name, _plain(value)) for name, value in ast.iter_fields(node))
    kept = tuple((name, value) for name, value in fields if value is not None and value != ())
    return (type(node).__name__, *kept)
