"""The scanning probe microscope: its instructions and what they cost."""

from __future__ import annotations

from mattergym.envs.old_instruments import Instruction, Instrument, Parameter

DURATION = Parameter("duration", 1e-4, 10.0, "s")
RATE = Parameter("rate", 0.5, 8.0, "Hz")
LINES = Parameter("lines", 1, 1024)


class ScanningProbe(Instrument):
    """A scanning probe microscope: stage, scan, spectroscopy, pulses, feedback.

    Costs are rounded from what open controllers of such microscopes take: 0.35 s for any command,
    0.5 s for a move and 0.5 s to settle, 1.5 s to start a frame, a line at its rate, 0.38 s for one
    hysteresis loop, and the duration of a pulse. A probe applies no radiation dose.

    Parameters
    ----------
    x, y : Parameter
        Range of the tip's position.
    voltage : Parameter
        Range of the tip's bias.
    feedback : tuple of Parameter
        What ``set_feedback`` takes.
    """

    name = "scanning probe"
    COMMAND_S = 0.35
    MOVE_S = 0.5
    SETTLE_S = 0.5
    SCAN_START_S = 1.5
    LOOP_S = 0.38

    def __init__(
        self,
        x: Parameter | None = None,
        y: Parameter | None = None,
        voltage: Parameter | None = None,
        feedback: tuple[Parameter, ...] = (),
    ) -> None:
        x = x or Parameter("x", 0.0, 1000.0, "nm")
        y = y or Parameter("y", 0.0, 1000.0, "nm")
        voltage = voltage or Parameter("voltage", -10.0, 10.0, "V")
        self.instructions = (
            Instruction("move", (x, y), "put the tip at a place"),
            Instruction("scan_line", (RATE,), "trace and retrace one line"),
            Instruction("scan_frame", (LINES, RATE), "scan an image"),
            Instruction("spectroscopy", (x, y, voltage), "measure a hysteresis loop"),
            Instruction("pulse", (x, y, voltage, DURATION), "apply a voltage to the tip"),
            Instruction("set_feedback", feedback, "set the feedback loop"),
        )

    def cost(self, instruction: str, **values: float) -> tuple[float, float]:
        """Seconds and dose of an instruction; moves are charged with what happens there."""
        self[instruction]
        there = self.COMMAND_S + self.MOVE_S + self.SETTLE_S
        if instruction == "scan_line":
            return 1.0 / values["rate"], 0.0
        if instruction == "scan_frame":
            return self.COMMAND_S + self.SCAN_START_S + values["lines"] / values["rate"], 0.0
        if instruction == "spectroscopy":
            return there + self.LOOP_S, 0.0
        if instruction == "pulse":
            return there + values["duration"], 0.0
        return (there if instruction == "move" else self.COMMAND_S), 0.0
