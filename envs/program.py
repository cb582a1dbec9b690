"""Programs: what one action of a task stands for, in numbers and in text.

An action is a vector of numbers. A program's table says how it becomes a command by name, in units,
and how either becomes text and comes back.
"""

from __future__ import annotations

import difflib
import re
from collections import namedtuple
from typing import TYPE_CHECKING, Any

import numpy as np
from numba import njit

from mattergym.envs.instruments import Choice, Instruction, Parameter, quantity

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

# Rounding past a bound of a Box that is accepted, e.g. from tanh or a float64 policy.
ROUNDING = 1e-6
_WORD = re.compile(r"(\w+)=(\S+)((?:\s+(?!\w+=)\S+)*)")
# Types of actions that kernels are compiled for; others are converted.
_COMPILED = (np.dtype(np.float32).str, np.dtype(np.float64).str)


def _plain(actions: Any) -> NDArray[Any]:
    """Make an array of actions.

    Raises
    ------
    ValueError
        If they are ragged or masked.
    """
    if type(actions) is np.ndarray:
        return actions
    if isinstance(actions, np.ma.MaskedArray):
        raise ValueError("action is a masked array; needed is a plain one")
    try:
        return np.asarray(actions)
    except (ValueError, TypeError) as error:
        raise ValueError(f"action is not an array: {error}") from None


@njit(cache=True)
def fill_quantities(actions: Any, maps: Any, out: Any) -> int:
    """Write the quantities of actions (B, P) to ``out``, float64 (P, B).

    Returns the flat index of the first action that is not finite or outside -1..1, or -1;
    nothing is written then. maps float64 (P, 4): :attr:`Parameter.map` of every component.
    """
    for b in range(actions.shape[0]):
        for p in range(actions.shape[1]):
            if not abs(actions[b, p]) <= 1.0 + ROUNDING:
                return b * actions.shape[1] + p
    for p in range(actions.shape[1]):
        for b in range(actions.shape[0]):
            a = np.float64(np.float32(actions[b, p]))
            if abs(a) > 1.0:
                a = np.sign(a)
            out[p, b] = quantity(a, maps[p, 0], maps[p, 1], maps[p, 2], maps[p, 3] != 0.0)
    return -1


class Program:
    """What one action of a task stands for: instructions that are run in this order.

    The parameters that are not fixed, in their order, are the components of the action: numbers in
    -1..1 that are mapped onto quantities, or whole numbers that choose.

    Attributes
    ----------
    instructions : tuple of Instruction
    parameters : tuple of Parameter or Choice
        Those that are not fixed.
    chooses : bool
        Whether they are choices.

    Raises
    ------
    ValueError
        If two parameters share a name, or quantities and choices are mixed.
    """

    def __init__(self, *instructions: Instruction) -> None:
        self.instructions = instructions
        listed = [p for instruction in instructions for p in instruction.parameters]
        self.parameters = tuple(p for p in listed if not p.fixed)
        names = [p.name for p in self.parameters]
        self.chooses = any(isinstance(p, Choice) for p in self.parameters)
        maps = [p.map for p in self.parameters if isinstance(p, Parameter)]
        if len(set(names)) < len(names) or (self.chooses and maps):
            raise ValueError(f"parameters {', '.join(names)} share a name or mix kinds")
        self._maps = np.array(maps, np.float64)
        self._counts = np.array([len(p.values) for p in self.parameters if isinstance(p, Choice)])
        self._command: Any = namedtuple("Command", names)  # type: ignore[misc]

    def __reduce__(self) -> tuple[Any, ...]:
        """Copy by the instructions: the class of a command cannot be pickled."""
        return type(self), self.instructions

    # ---- numbers ----------------------------------------------------------------------------

    def values(self, lanes: int) -> NDArray[Any]:
        """Room for the values of B lanes, (P, B): quantities float64, or indices int64."""
        return np.zeros((len(self.parameters), lanes), np.int64 if self.chooses else np.float64)

    def command(self, values: NDArray[Any]) -> Any:
        """Name the rows of values: a named tuple of views (B,)."""
        return self._command(*values)

    def decode(self, actions: Any, values: NDArray[Any]) -> None:
        """Turn actions (B, P) into values (P, B), in place.

        Raises
        ------
        ValueError
            If they have a wrong shape or dtype, are not finite or out of bounds; the values are
            left as they were.
        """
        array = _plain(actions)
        if array.shape != values.shape[::-1]:
            needed = values.shape[::-1]
            raise ValueError(f"action has shape {array.shape}; needed is {needed}, a row a lane")
        if self.chooses:
            values[:] = self._chosen(array)
            return
        if array.dtype.kind != "f":
            raise ValueError(f"action has dtype {array.dtype}; needed is a floating-point type")
        if array.dtype.str not in _COMPILED:
            array = array.astype(np.float64)
        bad = fill_quantities(array, self._maps, values)
        if bad >= 0:
            raise ValueError(self._outside(array, *divmod(bad, len(values))))

    def _chosen(self, array: NDArray[Any]) -> NDArray[Any]:
        if array.dtype.kind not in "iu":
            raise ValueError(f"action has dtype {array.dtype}; needed is a whole number type")
        outside = (array < 0) | (array >= self._counts)
        if outside.any():
            lane, k = np.argwhere(outside)[0]
            raise ValueError(
                f"action[{k}] = {array[lane, k]} is outside 0..{self._counts[k] - 1}, which stands "
                f"for {self.parameters[k]} (lane {lane})"
            )
        return array.T

    def _outside(self, array: NDArray[Any], lane: int, k: int) -> str:
        value, parameter = float(array[lane, k]), self.parameters[k]
        text = f"action[{k}] = {value:g} is outside -1..1, which stands for {parameter}"
        if not np.isfinite(value):
            return f"{text} (lane {lane})"
        asked = quantity(value, *self._maps[k])
        text += f"; {parameter.name} = {asked:g} {parameter.unit}".rstrip() + " was asked"
        return f"{text} (lane {lane}); gymnasium.wrappers.ClipAction cuts actions to their bounds"

    def encode(self, **values: ArrayLike) -> NDArray[Any]:
        """Make actions (..., P) of values by name, of any equal shape, cut to what is allowed."""
        parts = [
            p.to_action(values[p.name]) if isinstance(p, Parameter) else np.asarray(values[p.name])
            for p in self.parameters
        ]
        return np.stack(np.broadcast_arrays(*parts), axis=-1)

    # ---- text -------------------------------------------------------------------------------

    def text(self, values: Any) -> list[str]:
        """Write the command of one lane, (P,) values, an instruction a line."""
        left = iter(values)
        lines = []
        for instruction in self.instructions:
            words = [instruction.name]
            for p in instruction.parameters:
                value = p.low if isinstance(p, Parameter) and p.fixed else next(left)
                words.append(f"{p.name}={p.text(value)} {p.unit}".rstrip())
            lines.append(" ".join(words))
        return lines

    def read(self, text: str) -> NDArray[Any]:
        """Read an action (P,) from text; what the program fixes may be left out.

        Instructions are lines, or divided by semicolons. An action that was written comes back
        as it was, to the last bit of its command.

        Raises
        ------
        ValueError
            If it is not this program within its bounds; the sentence says what is allowed.
        """
        found: dict[str, str] = {}
        names = [instruction.name for instruction in self.instructions]
        for line in filter(None, map(str.strip, re.split(r"[\n;]", text))):
            name, _, words = line.partition(" ")
            if name not in names:
                near = difflib.get_close_matches(name, names, 1) or names
                raise ValueError(f"no instruction {name!r} here; there is {', '.join(near)}")
            if name in found:
                raise ValueError(f"{name} stands there twice")
            found[name] = words
        components = [
            component
            for instruction in self.instructions
            for component in _components(instruction, found.get(instruction.name, ""))
        ]
        return np.array(components, np.int64 if self.chooses else np.float32)


def _components(instruction: Instruction, words: str) -> list[Any]:
    """Components of an action that the words of an instruction stand for."""
    said = {name: (number, unit.strip()) for name, number, unit in _WORD.findall(words)}
    unknown = set(said) - {p.name for p in instruction.parameters}
    if unknown or _WORD.sub("", words).strip():
        raise ValueError(f"{instruction.name} {words}: not name=value unit of what it takes")
    components = []
    for p in instruction.parameters:
        if p.name not in said:
            if not p.fixed:
                raise ValueError(f"{instruction.name} needs {p}")
            continue
        number, unit = said[p.name]
        if unit != p.unit:
            raise ValueError(f"{p.name}={number} {unit}: the unit is {p.unit or 'none'}")
        component = p.read(number)
        components += [] if p.fixed else [component]
    return components
