"""The scanning transmission electron microscope: its instructions and what they cost."""

from __future__ import annotations

from typing import Any

from mattergym.envs.old_instruments import Instruction, Instrument, Parameter

ELEMENTARY_CHARGE = 1.602176634e-19  # C, exact (SI)
FIELD_OF_VIEW = Parameter("field_of_view", 0.5, 200.0, "nm")
POSITION = Parameter("position", -100.0, 100.0, "A")
EXPOSURE = Parameter("seconds", 0.0, 60.0, "s")


class Stem(Instrument):
    """An aberration-corrected STEM: corrector, scan, beam placement, stage.

    Costs are conventions of this suite, rounded from what instruments take: a dwell of 1-16 us a
    pixel with 60 us of flyback a line, 1 s for the corrector's supplies to settle, 8 s to measure
    defocus and two-fold astigmatism (C1A1), 90 s for a tableau of tilted images that gives all
    aberrations up to the third order, 10 s for a stage move with its settling. Dose is in e/A^2:
    the beam current spread over the field of view, or over 1 A^2 where the beam is parked.

    Parameters
    ----------
    current : float
        Beam current in pA.
    field_of_view : Parameter
        Edge of the square field, in nm.
    position : Parameter
        Range of one coordinate of :meth:`place_beam`'s target, in A; its name is not used.
    exposure : Parameter
        Range of a parked beam's time, in s; its name is not used.
    knobs : tuple of Parameter
        What ``set_corrector`` takes.
    """

    name = "STEM"
    FLYBACK_S = 60e-6
    CORRECTOR_S = 1.0
    C1A1_S = 8.0
    TABLEAU_S = 90.0
    STAGE_MOVE_S = 10.0
    PARKED_AREA = 1.0  # A^2

    def __init__(
        self,
        current: float = 50.0,
        field_of_view: Parameter = FIELD_OF_VIEW,
        position: Parameter = POSITION,
        exposure: Parameter = EXPOSURE,
        knobs: tuple[Parameter, ...] = (),
    ) -> None:
        self.current = current
        x, y = (Parameter(n, position.low, position.high, position.unit) for n in ("x", "y"))
        seconds = Parameter("seconds", exposure.low, exposure.high, "s")
        micrometre = (Parameter(n, -1000.0, 1000.0, "um") for n in ("x", "y"))
        self.instructions = (
            Instruction("set_corrector", knobs, "change the corrector's knobs"),
            Instruction("set_field_of_view", (field_of_view,), "choose the scanned square"),
            Instruction(
                "acquire",
                (Parameter("pixels", 1, 4096**2), Parameter("dwell", 0.1, 1e6, "us")),
                "scan a square frame",
            ),
            Instruction("place_beam", (x, y, seconds), "park the beam on a point"),
            Instruction("blank", (), "take the beam off the specimen"),
            Instruction("measure_c1a1", (), "measure defocus and two-fold astigmatism"),
            Instruction("measure_tableau", (), "measure all aberrations up to the third order"),
            Instruction("move_stage", tuple(micrometre), "go to another place of the specimen"),
        )

    @property
    def electrons_per_second(self) -> float:
        """Electrons that the beam brings in a second."""
        return self.current * 1e-12 / ELEMENTARY_CHARGE

    def frame_seconds(self, pixels: float, dwell: Any) -> Any:
        """Seconds of a square frame of ``pixels`` in all at ``dwell`` us; arrays broadcast."""
        return pixels * dwell * 1e-6 + self.FLYBACK_S * pixels**0.5

    def frame_dose(self, pixels: float, dwell: float, field_of_view: float) -> float:
        """Mean dose of a frame in e/A^2; field in nm, dwell in us; the beam is off in flyback."""
        return pixels * dwell * 1e-6 * self.electrons_per_second / (10.0 * field_of_view) ** 2

    def cost(self, instruction: str, **values: float) -> tuple[float, float]:
        """Seconds and dose in e/A^2 of an instruction.

        ``acquire`` and the measurements also take ``field_of_view`` in nm, over which the dose is
        spread.
        """
        self[instruction]
        if instruction == "acquire":
            pixels, dwell = values["pixels"], values["dwell"]
            dose = self.frame_dose(pixels, dwell, values["field_of_view"])
            return self.frame_seconds(pixels, dwell), dose
        if instruction == "place_beam":
            seconds = values["seconds"]
            return seconds, seconds * self.electrons_per_second / self.PARKED_AREA
        if instruction in ("measure_c1a1", "measure_tableau"):
            seconds = self.C1A1_S if instruction == "measure_c1a1" else self.TABLEAU_S
            area = (10.0 * values["field_of_view"]) ** 2
            return seconds, seconds * self.electrons_per_second / area
        return {
            "set_corrector": self.CORRECTOR_S,
            "move_stage": self.STAGE_MOVE_S,
        }.get(instruction, 0.0), 0.0
