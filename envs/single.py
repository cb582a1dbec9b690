"""One lane of a task as a Gymnasium environment."""

from __future__ import annotations

from typing import Any

import gymnasium as gym
import numpy as np
from gymnasium import spaces

from mattergym.envs.bench import Bench, Observation
from mattergym.envs.instruments import Choice
from mattergym.envs.task import Standing, Task


def spaces_of(task: Task) -> tuple[gym.Space[Any], gym.Space[Any]]:
    """Observation and action space of one lane."""
    panel: spaces.Space[Any] = spaces.Box(task.panel.low, task.panel.high)
    if task.images:
        images = {i.name: spaces.Box(0, 255, i.shape, np.uint8) for i in task.images}
        panel = spaces.Dict({"panel": panel, **images})
    parameters = task.program.parameters
    if task.program.chooses:
        counts = [len(p.values) for p in parameters if isinstance(p, Choice)]
        return panel, spaces.MultiDiscrete(counts)
    return panel, spaces.Box(-1.0, 1.0, (len(parameters),), np.float32)


class SingleEnv(Bench, gym.Env[Any, Any]):
    """One lane of a task; what it shares with a batch has a leading axis of length 1.

    Its arguments are those of :class:`mattergym.envs.base.BatchEnv` without ``num_envs``,
    ``autoreset_mode`` and ``max_episode_steps`` (Gymnasium's TimeLimit does that).
    """

    def __init__(self, task: Task | str, render_mode: str | None = None, **kwargs: Any) -> None:
        Bench.__init__(self, task, 1, render_mode, kwargs)
        self.observation_space, self.action_space = spaces_of(self.task)

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Observation, dict[str, Any]]:
        """Begin an episode; see :meth:`mattergym.envs.base.BatchEnv.reset`."""
        self._reset(seed, options)
        super().reset(seed=None if seed is None else int(self._run.seeds[0]))
        return self._first(), self._info(self.standing, {t.name: 0.0 for t in self.task.terms})

    def step(self, action: Any) -> tuple[Observation, float, bool, bool, dict[str, Any]]:
        """Step the lane; errors as in :meth:`mattergym.envs.base.BatchEnv.step`."""
        run, task = self._run, self.task
        if run.ended[0]:
            raise RuntimeError("the episode has ended; call reset before step")
        self._decode(action[None] if isinstance(action, np.ndarray) else [action])
        arrays, seconds, dose = task.act(run.state, self._command, run.clock, run.streams)
        steps, elapsed_s, doses = run.clock
        steps[0] += 1
        elapsed_s[0] += seconds[0]
        if dose is not None:
            doses[0] += dose[0]
        standing = task.assess(run.state, run.clock)
        terms = {name: term.item() for name, term in arrays.items()}
        over = run.ended[0] = standing.over.item()
        return self._first(), sum(terms.values()), over, False, self._info(standing, terms)

    def _first(self) -> Observation:
        observation = self._observe()
        if isinstance(observation, dict):
            return {name: array[0] for name, array in observation.items()}
        return observation[0]

    def _info(self, standing: Standing, terms: dict[str, float]) -> dict[str, Any]:
        run = self._run
        damage = standing.damage
        info = {
            "elapsed_s": run.clock.elapsed_s.item(),
            "dose": run.clock.dose.item(),
            "score": standing.score.item(),
            "cost": 0.0 if damage is None else float(damage.item()),
            "is_success": standing.success.item(),
            "seed": run.seeds.item(),
            "episode_index": run.episodes.item(),
        }
        for name, term in terms.items():
            info[f"reward_{name}"] = term
        return info

    def render(self) -> Any:
        """RGB frame, or the last program as text in ``ansi`` mode."""
        frames = self._frames()
        return None if frames is None else frames[0]
