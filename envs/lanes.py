"""A batch's lanes, each as the single environment that it is."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

from mattergym.envs.bench import Bench
from mattergym.envs.single import SingleEnv
from mattergym.envs.snapshots import Run
from mattergym.envs.task import Clock
from mattergym.envs.validation import checked_lane
from mattergym.physics.rng import seed_streams


class Lanes(Bench):
    """A bench whose lanes can be asked for attributes and methods, as SyncVectorEnv's can."""

    _singles: list[SingleEnv] | None = None

    def _single(self, lane: int) -> SingleEnv:
        if self._singles is None:
            self._singles = [SingleEnv(self.task, self.render_mode) for _ in range(self._lanes)]
        return self._singles[checked_lane(lane, self._lanes)]

    def call_on(self, lanes: Iterable[int], name: str, *args: Any, **kwargs: Any) -> list[Any]:
        """Call a method, or read an attribute, of the single environments that some lanes are.

        What a method changes is changed in the batch. What the instrument's display shows can be
        read by name.
        """
        results = []
        for lane in lanes:
            single = self._single(lane)
            single.spec = self.spec
            single._play(self._copy_lane(lane))
            if not hasattr(single, name) and name in self.task.display:
                results.append(single.display[name][0])
                continue
            found = getattr(single, name)
            results.append(found(*args, **kwargs) if callable(found) else found)
            if callable(found):
                self._write_lane(lane, single._run)
        return results

    def _copy_lane(self, lane: int) -> Run:
        run, here = self._run, np.array([lane])
        return Run(
            state=None if run.state is None else self.task.take(run.state, here),
            clock=Clock(*(row[here] for row in run.clock)),
            values=run.values[:, here],
            **{f: getattr(run, f)[here] for f in ("streams", "seeds", "episodes", "ended")},
        )

    def _write_lane(self, lane: int, own: Run) -> None:
        run, here = self._run, np.array([lane])
        if own.state is not None:
            if run.state is None:
                run.state = self.task.draw(seed_streams(run.seeds, run.seeds, 0))
            self.task.place(run.state, here, own.state)
        for row, value in zip(run.clock, own.clock, strict=True):
            row[here] = value
        run.values[:, here] = own.values
        for name in ("streams", "seeds", "episodes", "ended"):
            getattr(run, name)[here] = getattr(own, name)

    def call(self, name: str, *args: Any, **kwargs: Any) -> tuple[Any, ...]:
        """Call a method, or read an attribute, of every lane, as SyncVectorEnv does."""
        return tuple(self.call_on(range(self._lanes), name, *args, **kwargs))

    def get_attr(self, name: str) -> tuple[Any, ...]:
        """Read an attribute of every lane's single environment, or what its display shows."""
        return self.call(name)

    def set_attr(self, name: str, values: Any) -> None:
        """Give every lane an attribute of its own: one value for all, or a list or tuple of them.

        Raises
        ------
        AttributeError
            If it is an attribute of the batch or of its task, which lanes share.
        ValueError
            If there is not a value a lane.
        """
        own = list(values) if isinstance(values, list | tuple) else [values] * self._lanes
        if len(own) != self._lanes:
            raise ValueError(f"{name}: {len(own)} values for {self._lanes} lanes")
        for lane, value in enumerate(own):
            self.set_on(lane, name, value)

    def set_on(self, lane: int, name: str, value: Any) -> None:
        """Give one lane an attribute of its own; errors as of :meth:`set_attr`."""
        if hasattr(self, name) or hasattr(self.task, name):
            raise AttributeError(f"{name} is shared by the lanes of a batch; make another batch")
        setattr(self._single(lane), name, value)
