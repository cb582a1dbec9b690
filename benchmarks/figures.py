"""What the report shows of a track: score against cost, learning curves, and films of episodes."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from mattergym.agents import make_agent
from mattergym.envs import TASKS

Frame = NDArray[np.uint8]
FILM_FRAMES, FILM_HEIGHT, FILM_MS = 30, 150, 120
# Episodes of an agent in the picture of score against cost.
SHOWN = 200
# Largest over typical return from which on learning curves have a logarithmic axis.
WIDE = 20.0


def score_figure(agents: dict[str, list[dict[str, Any]]], unit: str) -> bytes:
    """PNG of score against instrument seconds of all agents, and of the learning curves.

    Parameters
    ----------
    agents : dict
        Agent to its result files' contents, one a seed.
    unit : str
        Of the score.
    """
    from matplotlib.figure import Figure

    colours = {name: f"C{k}" for k, name in enumerate(sorted(agents))}
    curves = [  # one a training seed
        (name, [point for point in result["learning_curve"] if "return" in point])
        for name, results in sorted(agents.items())
        for result in results
    ]
    curves = [(name, curve) for name, curve in curves if curve]
    figure = Figure(figsize=(9 if curves else 4.5, 3.4), layout="constrained")
    cost, *others = figure.subplots(1, 2 if curves else 1, squeeze=False)[0]
    for name, results in sorted(agents.items()):
        if name == "random":  # often orders of magnitude away; the table has it
            continue
        share = -(-SHOWN // len(results))
        elapsed = np.concatenate([r["records"]["elapsed_s"][:share] for r in results])
        score = np.concatenate([r["records"]["scores"][:share] for r in results])
        cost.plot(elapsed, score, ".", color=colours[name], markersize=3, label=name)
    cost.set(xlabel="instrument time / s", ylabel=f"score / {unit}")
    if cost.lines:
        cost.legend(fontsize=7)
    for learning in others:
        named: set[str] = set()
        for name, curve in curves:
            steps = [point["steps"] / 1e6 for point in curve]
            label = None if name in named else name
            named.add(name)
            returns = [point["return"] for point in curve]
            learning.plot(steps, returns, color=colours[name], linewidth=1.2, label=label)
        learning.set(xlabel="training steps / million", ylabel="return of recent episodes")
        sizes = np.abs([point["return"] for _, curve in curves for point in curve])
        sizes = sizes[sizes > 0.0]
        if sizes.size and sizes.max() > WIDE * float(np.median(sizes)):
            # The first returns are orders of magnitude worse than what is learned.
            learning.set_yscale("symlog", linthresh=float(np.quantile(sizes, 0.1)))
        learning.legend(fontsize=7)
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=120, metadata={"Software": None})
    return buffer.getvalue()


def episode_frames(
    env_id: str,
    agent: str,
    kwargs: dict[str, Any],
    seed: int = 0,
    load: Path | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> list[Frame]:
    """RGB frames of one episode of an agent, the first one at its reset.

    Parameters
    ----------
    env_id, agent : str
    kwargs : dict
        Arguments of ``gym.make_vec``.
    seed : int
    load : Path, optional
        What the agent has learned.
    progress : callable, optional
        Called with (frames drawn, frames of a typical episode) as they are drawn.
    """
    env: Any = gym.make_vec(
        env_id, num_envs=1, render_mode="rgb_array", autoreset_mode="Disabled", **kwargs
    )
    policy = make_agent(agent, env)
    if load is not None:
        policy.load(load)
    policy.seed(seed)
    observation, _ = env.reset(seed=seed)
    frames: list[Frame] = [env.render()[0]]
    state, start = None, np.ones(1, np.bool_)
    ended = False
    while not ended:
        action, state = policy.predict(observation, state, start)
        observation, _, terminated, truncated, _ = env.step(action)
        start = terminated | truncated
        ended = bool(start[0])
        frames.append(env.render()[0])
        if progress is not None:
            progress(len(frames), max(len(frames), TASKS[env_id].horizon + 1))
    env.close()
    return frames


def strip(frames: list[Frame], count: int = 6) -> bytes:
    """PNG of some frames side by side, spread over the episode."""
    chosen = np.linspace(0, len(frames) - 1, count).round().astype(int)
    buffer = io.BytesIO()
    Image.fromarray(np.concatenate([frames[k] for k in chosen], axis=1)).save(buffer, "PNG")
    return buffer.getvalue()


def whole_film(frames: list[Frame]) -> bytes:
    """GIF of all frames as they are, ten a second."""
    first, *rest = [Image.fromarray(frame) for frame in frames]
    buffer = io.BytesIO()
    first.save(buffer, "GIF", save_all=True, append_images=rest, duration=100, loop=0)
    return buffer.getvalue()


def film(frames: list[Frame]) -> bytes:
    """Animated WebP of at most 30 frames, spread over the episode, the last one held longer."""
    chosen = np.unique(np.linspace(0, len(frames) - 1, FILM_FRAMES).round().astype(int))
    width = round(frames[0].shape[1] * FILM_HEIGHT / frames[0].shape[0])
    images = [
        Image.fromarray(frames[k]).resize((width, FILM_HEIGHT), Image.Resampling.LANCZOS)
        for k in chosen
    ]
    buffer = io.BytesIO()
    images[0].save(
        buffer,
        format="WEBP",
        save_all=True,
        append_images=images[1:],
        duration=[FILM_MS] * (len(images) - 1) + [10 * FILM_MS],
        loop=0,
        quality=60,
    )
    return buffer.getvalue()
