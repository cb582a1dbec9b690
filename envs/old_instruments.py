"""Instruments: instruction sets with parameters, units, bounds, and what each command costs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray


@dataclass(frozen=True)
class Parameter:
    """A quantity that an instruction takes, in physical units.

    Attributes
    ----------
    name : str
    low, high : float
        Allowed range, inclusive.
    unit : str
        Unit, empty for pure numbers.
    """

    name: str
    low: float
    high: float
    unit: str = ""

    def from_action(self, action: NDArray[np.float32]) -> NDArray[np.float64]:
        """Map [-1, 1] affinely onto [low, high]; any shape, float32 to float64."""
        half = 0.5 * (self.high - self.low)
        return self.low + half * (np.asarray(action, np.float64) + 1.0)

    def to_action(self, value: NDArray[np.float64] | float) -> NDArray[np.float32]:
        """Map [low, high] affinely onto [-1, 1]; the inverse of :meth:`from_action`."""
        half = 0.5 * (self.high - self.low)
        return ((np.asarray(value, np.float64) - self.low) / half - 1.0).astype(np.float32)

    def __str__(self) -> str:
        """Name, range and unit, as error messages show them."""
        return f"{self.name} in {self.low:g}..{self.high:g} {self.unit}".rstrip()


@dataclass(frozen=True)
class Instruction:
    """One named command of an instrument."""

    name: str
    parameters: tuple[Parameter, ...]
    summary: str

    def text(self, **values: float) -> str:
        """Write the command with its values, e.g. ``hold sweeps=1``.

        Values are printed in the shortest decimals that map back to the same float32.
        """
        words = [self.name]
        for parameter in self.parameters:
            number = np.format_float_positional(np.float32(values[parameter.name]), trim="-")
            words.append(f"{parameter.name}={number} {parameter.unit}".rstrip())
        return " ".join(words)


class Instrument:
    """A table of instructions and their cost model."""

    name: str
    instructions: tuple[Instruction, ...]

    def __getitem__(self, name: str) -> Instruction:
        """Return an instruction by name.

        Raises
        ------
        KeyError
            With the names that exist.
        """
        for instruction in self.instructions:
            if instruction.name == name:
                return instruction
        known = ", ".join(i.name for i in self.instructions)
        raise KeyError(f"{self.name} has no instruction {name!r}; it has {known}")

    def cost(self, instruction: str, **values: float) -> tuple[float, float]:
        """Seconds and dose that an instruction takes."""
        raise NotImplementedError


class Furnace(Instrument):
    """The synthesis furnace: temperature, field, time, and samples of chosen composition.

    Costs are a convention of this suite: one Monte Carlo sweep is one second of hold, a ramp
    takes 60 s per unit of temperature (kB T / J), a new sample 300 s, a measurement its sweeps.
    A furnace applies no radiation dose.
    """

    name = "furnace"
    SECONDS_PER_SWEEP = 1.0
    SECONDS_PER_UNIT_TEMPERATURE = 60.0
    SECONDS_PER_SAMPLE = 300.0

    def __init__(self, temperature: Parameter, field: Parameter, max_sweeps: int) -> None:
        sweeps = Parameter("sweeps", 0, max_sweeps)
        self.instructions = (
            Instruction("set_temperature", (temperature,), "ramp to a temperature"),
            Instruction("set_field", (field,), "switch the field"),
            Instruction("hold", (sweeps,), "let the sample evolve"),
            Instruction("measure", (sweeps,), "average observables while it evolves"),
            Instruction("new_sample", (Parameter("composition", 0, 1),), "load another sample"),
        )

    def cost(self, instruction: str, **values: float) -> tuple[float, float]:
        """Seconds and dose of an instruction; ``set_temperature`` also takes ``previous``."""
        self[instruction]
        if instruction == "set_temperature":
            ramp = abs(values["temperature"] - values["previous"])
            return self.SECONDS_PER_UNIT_TEMPERATURE * ramp, 0.0
        if instruction in ("hold", "measure"):
            return self.SECONDS_PER_SWEEP * values["sweeps"], 0.0
        return (self.SECONDS_PER_SAMPLE if instruction == "new_sample" else 0.0), 0.0


class Ledger:
    """What the episode of each lane has cost and earned so far.

    Attributes
    ----------
    table : ndarray of float64, shape (5, B)
        Rows elapsed_s, dose, score, cost, is_success; compiled steps write to it directly.
    """

    ROWS = ("elapsed_s", "dose", "score", "cost", "is_success")

    def __init__(self, lanes: int) -> None:
        self.table = np.zeros((len(self.ROWS), lanes))

    @property
    def elapsed_s(self) -> NDArray[np.float64]:
        """Instrument seconds used, shape (B,); a view."""
        return self.table[0]

    @property
    def dose(self) -> NDArray[np.float64]:
        """Dose applied, shape (B,), in the instrument's unit; a view."""
        return self.table[1]

    def charge(
        self, seconds: NDArray[np.float64] | float, dose: NDArray[np.float64] | float = 0.0
    ) -> None:
        """Add seconds and dose, each (B,) or scalar."""
        self.table[0] += seconds
        self.table[1] += dose

    def assess(
        self,
        score: NDArray[np.float64],
        is_success: NDArray[np.bool_],
        cost: NDArray[np.float64] | float = 0.0,
    ) -> None:
        """Set score, success and damage done, each (B,) or scalar."""
        self.table[2] = score
        self.table[3] = cost
        self.table[4] = is_success
