"""The scanning probe microscope: its instructions and what they cost.

Costs are rounded from what open controllers of such microscopes take: 0.35 s for any command, 0.5 s
for a move and 0.5 s to settle, 1.5 s to start a frame, a line at its rate, 0.38 s for a hysteresis
loop, and the duration of a pulse. A probe applies no radiation dose.
"""

from __future__ import annotations

from typing import Any

from mattergym.envs.instruments import Choice, Instruction, Parameter

COMMAND_S = 0.35
MOVE_S = 0.5
SETTLE_S = 0.5
SCAN_START_S = 1.5
LOOP_S = 0.38
# What it takes to be at a place before anything happens there.
THERE_S = COMMAND_S + MOVE_S + SETTLE_S
# A hysteresis loop, the way there included.
SPECTROSCOPY_S = THERE_S + LOOP_S


def line_seconds(rate: Any) -> Any:
    """Seconds of a line, there and back, at rates in Hz."""
    return 1.0 / rate


def frame_seconds(lines: float, rate: float) -> float:
    """Seconds of a frame of some lines at a rate in Hz."""
    return COMMAND_S + SCAN_START_S + lines / rate


def pulse_seconds(duration: Any) -> Any:
    """Seconds of pulses of some durations in s, the way there included."""
    return THERE_S + duration


def change_feedback(gain: float, bandwidth: float, setpoint: float, rate: float) -> Instruction:
    """Change the logarithms of the loop's settings, each by at most this much."""
    most = {"gain": gain, "bandwidth": bandwidth, "setpoint": setpoint, "rate": rate}
    return Instruction(
        "change_feedback",
        "change the natural logarithms of the feedback loop's settings, within their ranges",
        tuple(Parameter(f"ln_{name}", -value, value) for name, value in most.items()),
        f"{COMMAND_S:g} s",
    )


def scan_line() -> Instruction:
    """Scan a line there and back."""
    return Instruction("scan_line", "scan a line, trace and retrace", cost="1 / rate s")


def scan_frame(lines: int, rate: float) -> Instruction:
    """Scan an image."""
    fixed = (Parameter("lines", lines, lines), Parameter("rate", rate, rate, "Hz"))
    return Instruction("scan_frame", "scan an image", fixed, f"{frame_seconds(lines, rate):g} s")


def pulse(edge: float, most: float, shortest: float, longest: float) -> Instruction:
    """Apply a voltage in V up to ``most`` to the tip, at a place on a film ``edge`` nm wide."""
    x, y = (Parameter(name, 0.0, edge, "nm") for name in ("x", "y"))
    voltage = Parameter("voltage", -most, most, "V")
    duration = Parameter("duration", shortest, longest, "s", log=True)
    return Instruction(
        "pulse",
        "apply a voltage to the tip at a place",
        (x, y, voltage, duration),
        f"{THERE_S:g} s and its duration",
    )


def spectroscopy(places: tuple[float, ...]) -> Instruction:
    """Measure a hysteresis loop at a place of a square grid; its rows and columns in nm."""
    y, x = (Choice(name, places, "nm") for name in ("y", "x"))
    cost = f"{SPECTROSCOPY_S:g} s"
    return Instruction("spectroscopy", "measure a hysteresis loop at a place", (y, x), cost)
