"""Networks that suit the observations of instruments: maps of places, and images."""

from __future__ import annotations

from typing import Any

import torch
from gymnasium import spaces
from stable_baselines3.common.torch_layers import BaseFeaturesExtractor
from torch import nn


class MapExtractor(BaseFeaturesExtractor):
    """Reads a flat observation of maps over a grid, then numbers, line by line.

    One convolution runs along the rows and one along the columns, with the whole line as its
    input, so that every row and every column has features of its own: policies that choose a row
    and a column can tell them apart.

    Parameters
    ----------
    space : gymnasium.spaces.Box
        Flat: ``maps * rows * columns`` values, then others.
    maps, rows, columns, channels : int
    """

    def __init__(
        self, space: spaces.Box, maps: int, rows: int, columns: int, channels: int = 24
    ) -> None:
        self._shape = (maps, rows, columns)
        self._size = maps * rows * columns
        others = space.shape[0] - self._size
        super().__init__(space, channels * (rows + columns) + others)
        self._along_rows = nn.Conv1d(maps * columns, channels, 3, padding=1)
        self._along_columns = nn.Conv1d(maps * rows, channels, 3, padding=1)

    def forward(self, observation: torch.Tensor) -> torch.Tensor:
        """Features (B, D) of observations (B, N)."""
        maps, rows, columns = self._shape
        seen = observation[:, : self._size].reshape(-1, maps, rows, columns)
        by_row = self._along_rows(seen.transpose(2, 3).reshape(-1, maps * columns, rows))
        by_column = self._along_columns(seen.reshape(-1, maps * rows, columns))
        lines = (torch.relu(by_row).flatten(1), torch.relu(by_column).flatten(1))
        return torch.cat([*lines, observation[:, self._size :]], dim=1)


class KeypointExtractor(BaseFeaturesExtractor):
    """Reads images and numbers: where each of some learned features is in the image.

    The spatial softmax of Levine, S. et al. (2016), J. Mach. Learn. Res. 17, 1 (arXiv:1504.00702):
    every channel gives the mean position under its softmax, its maximum and its mean.

    Parameters
    ----------
    space : gymnasium.spaces.Dict
        One image, uint8 (C, H, W), and vectors.
    channels : int
        Features that are located.
    """

    def __init__(self, space: spaces.Dict, channels: int = 32) -> None:
        shapes = {name: tuple(box.shape or ()) for name, box in space.spaces.items()}
        self._image = next(name for name, shape in shapes.items() if len(shape) == 3)
        self._vectors = [name for name in shapes if name != self._image]
        others = sum(shapes[name][0] for name in self._vectors)
        super().__init__(space, 4 * channels + others)
        inputs = shapes[self._image][0]
        self._layers = nn.Sequential(
            nn.Conv2d(inputs, 16, 8, stride=4, padding=2),
            nn.ReLU(),
            nn.Conv2d(16, 32, 3, padding=1),
            nn.ReLU(),
            nn.Conv2d(32, channels, 1),
        )

    def forward(self, observation: dict[str, Any]) -> torch.Tensor:
        """Features (B, D) of a batch of observations."""
        # Stable-baselines3 has scaled images to 0..1.
        maps = self._layers(observation[self._image] - 0.5)
        height, width = maps.shape[2:]
        weight = torch.softmax(maps.flatten(2), dim=2).reshape(maps.shape)
        y = torch.linspace(-1.0, 1.0, height)
        x = torch.linspace(-1.0, 1.0, width)
        found = (
            (weight.sum(dim=2) * x).sum(dim=2),
            (weight.sum(dim=3) * y).sum(dim=2),
            maps.amax(dim=(2, 3)),
            maps.mean(dim=(2, 3)),
        )
        return torch.cat([*found, *(observation[name] for name in self._vectors)], dim=1)
