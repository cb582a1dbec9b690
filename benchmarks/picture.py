"""The README's picture: a reversal as a film strip over its path through (T, h)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np

from mattergym.agents import make_agent


def draw_reversal(path: Path, seed: int = 0) -> None:
    """Play the expert protocol once; draw six lattices and the path with its critical point."""
    from matplotlib.figure import Figure

    env: Any = gym.make_vec("mattergym/IsingReversal-v0", num_envs=1, observation="clock")
    agent = make_agent("expert", env)
    observation, _ = env.reset(seed=seed)
    lattices, points = [env.unwrapped.spins[0]], [(0.7, -1.0)]
    for _ in range(100):
        action, _ = agent.predict(observation)
        observation, *_, info = env.step(action)
        lattices.append(env.unwrapped.spins[0] if info["episode"][0] == 0 else lattices[-1])
        points.append((float(observation[0, 0]) * 12, float(observation[0, 1]) * 10))
    shown = np.array([0, 20, 40, 50, 60, 100])
    figure = Figure(figsize=(10, 4.6), layout="constrained")
    grid = figure.add_gridspec(2, 6, height_ratios=[1, 1.5])
    for k, step in enumerate(shown):
        panel = figure.add_subplot(grid[0, k])
        panel.imshow(lattices[step], cmap="cividis", vmin=-1, vmax=1)
        panel.set(xticks=[], yticks=[], title=f"sweep {step}")
    panel = figure.add_subplot(grid[1, :])
    t, h = np.array(points).T
    panel.plot(h, t, "-", color="0.6")
    scatter = panel.scatter(h, t, c=np.arange(101), cmap="viridis", s=14, zorder=2)
    panel.plot(h[shown], t[shown], "o", markersize=9, markerfacecolor="none", color="black")
    panel.plot([0], [2.269], "x", color="crimson", label="critical point")
    panel.set(xlabel="field h / J", ylabel="temperature T / (J/kB)")
    panel.legend(frameon=False)
    figure.colorbar(scatter, ax=panel, label="sweep")
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=120)


if __name__ == "__main__":
    draw_reversal(Path("docs/reversal.png"))
