"""One clock for all figures of speed, and the steps that are timed.

Run as a script, ``timing.py FOLDER``, it plays environments of the package ``FOLDER/mattergym`` as
:mod:`mattergym.benchmarks.speed.against` asks for them. It imports nothing else of MatterGym, so
that it can play any revision.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np

# Units of time: so many make a second.
TIMES = {"s": 1.0, "ms": 1e3, "us": 1e6, "ns": 1e9}
# A contestant runs for at least this long a round.
SECONDS = 0.1


def is_time(unit: str) -> bool:
    """Whether a unit is a time or a time an item, of which less is better, and not a rate.

    Raises
    ------
    ValueError
        If it is neither.
    """
    over, _, under = unit.partition("/")
    if over in TIMES:
        return True
    if under in TIMES:
        return False
    raise ValueError(f"unit = {unit!r} is neither a time, a time an item, nor items a time")


def figure(unit: str, items: float, seconds: float) -> float:
    """Write so many items in so many seconds as a rate (``steps/s``) or a time (``ns/px``)."""
    over, _, under = unit.partition("/")
    return TIMES[over] * seconds / items if is_time(unit) else items / (TIMES[under] * seconds)


def timed(
    run: Callable[[], Any],
    items: float,
    unit: str,
    clock: Callable[[], float] = time.perf_counter,
) -> Callable[[], float]:
    """Return a function that runs something for :data:`SECONDS` and gives its figure.

    Parameters
    ----------
    run : callable
    items : float
        Items of the unit in one run.
    unit : str
        ``steps/s``, ``ns/px`` and the like.
    clock : callable
        Seconds. Where processes compete it is ``time.thread_time``, which stands still while
        others have the core.
    """

    def measure() -> float:
        begin = now = clock()
        runs = 0
        while now - begin < SECONDS:
            run()
            runs += 1
            now = clock()
        return figure(unit, runs * items, now - begin)

    return measure


class Player:
    """Steps of an environment under random actions, its resets included.

    A batch resets by itself in one more step, which counts as a step, as everywhere in Gymnasium;
    a single environment is reset when its episode ends. The actions of a typical episode are drawn
    beforehand and come again and again, the same for every player.

    Parameters
    ----------
    env : gymnasium.Env, gymnasium.vector.VectorEnv or a VecEnv of stable-baselines3
    horizon : int
        Steps of a typical episode.

    Attributes
    ----------
    lanes : int
    actions : list
        One more than the horizon.
    """

    def __init__(self, env: Any, horizon: int) -> None:
        self._env, self._single, self._played = env, isinstance(env, gym.Env), 0
        self.lanes = 1 if self._single else env.num_envs
        space = env.action_space
        space.seed(0)
        turns = range(horizon + 1)
        if self._single or isinstance(env, gym.vector.VectorEnv):
            self.actions = [space.sample() for _ in turns]
            env.reset(seed=0)
        else:  # the action space of a VecEnv is that of one lane
            self.actions = [np.array([space.sample() for _ in range(self.lanes)]) for _ in turns]
            env.reset()

    def play(self, steps: int) -> None:
        """Go on for so many steps."""
        env, single, actions = self._env, self._single, self.actions
        for turn in range(self._played, self._played + steps):
            ended = env.step(actions[turn % len(actions)])
            if single and (ended[2] or ended[3]):
                env.reset()
        self._played += steps


def stepper(
    env: Any, horizon: int, clock: Callable[[], float] = time.perf_counter
) -> Callable[[], float]:
    """Return a function that plays whole episodes and gives environment steps a second."""
    player = Player(env, horizon)
    steps = len(player.actions)
    return timed(lambda: player.play(steps), player.lanes * steps, "steps/s", clock)


def made(env_id: str, kwargs: dict[str, Any], lanes: int | None, horizon: int) -> Player:
    """Make a batch, or a single view where ``lanes`` is None, and play its first episode."""
    if lanes is None:
        env: Any = gym.make(env_id, **kwargs)
    else:
        env = gym.make_vec(env_id, num_envs=lanes, **kwargs)
    player = Player(env, horizon)
    player.play(len(player.actions))
    return player


def answers(requests: Iterable[str]) -> Iterable[dict[str, Any]]:
    """Answer requests, a line of JSON each.

    ``{"make": {...}}`` has the arguments of :func:`made` and is answered by ``{}``, or by
    ``{"error": sentence}`` where that raises. ``{"play": steps}`` goes on with what was made and
    is answered by the ``seconds`` that the processor worked on it.
    """
    player = None
    for line in requests:
        request = json.loads(line)
        try:
            if "make" in request:
                player = made(**request["make"])
                yield {}
            elif player is not None:
                begin = time.thread_time()
                player.play(request["play"])
                yield {"seconds": time.thread_time() - begin}
        except Exception as error:  # whatever another revision raises
            yield {"error": f"{type(error).__name__}: {error}"}


def serve(folder: Path) -> None:
    """Answer on standard output what is asked on standard input, with the package of a folder.

    Raises
    ------
    ImportError
        If another MatterGym is imported.
    """
    sys.path.insert(0, str(folder))
    # What a revision prints must not stand among the answers.
    output, sys.stdout = sys.stdout, sys.stderr
    import mattergym.envs

    for module in (mattergym, mattergym.envs):
        if not Path(str(module.__file__)).is_relative_to(folder):
            raise ImportError(f"{module.__name__} was imported from {module.__file__}")
    for answer in answers(sys.stdin):
        print(json.dumps(answer), file=output, flush=True)


if __name__ == "__main__":
    serve(Path(sys.argv[1]))
