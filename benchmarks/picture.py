"""The README's pictures: a reversal over its path through (T, h), and a frame of every task."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
from PIL import Image

from mattergym.agents import make_agent
from mattergym.benchmarks.figures import episode_frames
from mattergym.envs import TASKS


def draw_reversal(path: Path, seed: int = 0) -> None:
    """Play the expert protocol once; draw six lattices and the path with its critical point."""
    from matplotlib.figure import Figure

    env: Any = gym.make_vec("mattergym/IsingReversal-v0", num_envs=1, observation="clock")
    agent = make_agent("expert", env)
    observation, _ = env.reset(seed=seed)
    task = env.unwrapped.task
    lattices, points = [task.spins(env.unwrapped.state)[0]], [(0.7, -1.0)]
    for _ in range(100):
        action, _ = agent.predict(observation)
        observation, *_, info = env.step(action)
        now = task.spins(env.unwrapped.state)[0]
        lattices.append(now if info["episode_index"][0] == 0 else lattices[-1])
        points.append(tuple(task.read(observation, n)[0] for n in ("temperature", "field")))
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


def draw_gallery(path: Path, height: int = 300, columns: int = 3, seed: int = 1) -> None:
    """Paste a frame of every task side by side, from scripted episodes that are well on their way.

    A task is shown on its track with images, if it has one.
    """
    frames = []
    for task in TASKS.values():
        imaging = [track for track in task.tracks if track.name == "image"]
        film = episode_frames(task.id, "scripted", (*imaging, *task.tracks)[0].kwargs, seed)
        frame = Image.fromarray(film[round(0.6 * (len(film) - 1))])
        size = (round(frame.width * height / frame.height), height)
        frames.append(frame.resize(size, Image.Resampling.LANCZOS))
    gap = 8
    rows = [frames[k : k + columns] for k in range(0, len(frames), columns)]
    widths = [sum(frame.width for frame in row) + gap * (len(row) - 1) for row in rows]
    sheet = Image.new("RGB", (max(widths), (height + gap) * len(rows) - gap), "white")
    for k, (row, width) in enumerate(zip(rows, widths, strict=True)):
        x = (sheet.width - width) // 2
        for frame in row:
            sheet.paste(frame, (x, (height + gap) * k))
            x += frame.width + gap
    path.parent.mkdir(parents=True, exist_ok=True)
    sheet.save(path, optimize=True)


if __name__ == "__main__":
    draw_reversal(Path("docs/reversal.png"))
    draw_gallery(Path("docs/gallery.png"))
