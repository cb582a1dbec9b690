"""IsingAnneal-v0: cool a spin glass of unknown energy scale into its ground state."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from gymnasium import spaces
from numba import njit

from mattergym.envs.base import BatchEnv, SingleEnv
from mattergym.envs.instruments import Furnace, Parameter
from mattergym.envs.rendering import add_status_strip, image_to_rgb
from mattergym.physics.ising_glass import bond_energy, hold, plant_tiles
from mattergym.physics.rng import uniform

if TYPE_CHECKING:
    from numpy.typing import NDArray

SIZES = {"easy": 8, "standard": 12, "hard": 16}
STEPS = 50
SWEEPS = 20
TEMPERATURE = Parameter("temperature", 0.1, 10.0, "J/kB")
MAX_CHANGE = 0.5
CHANGE = Parameter("change of ln temperature", -MAX_CHANGE, MAX_CHANGE)
START_TEMPERATURE = (0.5, 6.0)
# Hidden scale and fraction of C2 tiles: a family, and a harder one beyond its edges.
SCALE, C2_FRACTION = (1 / 3, 3.0), (0.5, 1.0)
SHIFT_SCALE, SHIFT_C2_FRACTION = (3.0, 6.0), (0.9, 1.0)
# Softens the logarithm of the residual energy, in units of |E0|.
SOFTENING = 0.002
REWARD_SCALE = 0.1
# Observed acceptances below this are shown as this; fewer than one flip in a step.
LEAST_ACCEPTANCE = 1e-4


@njit(cache=True)
def draw_log_uniform(bounds: Any, streams: Any, out: Any) -> None:
    """Draw one log-uniform number a lane into ``out`` (B,), from ``bounds`` = (low, high)."""
    for b in range(out.shape[0]):
        out[b] = bounds[0] * (bounds[1] / bounds[0]) ** uniform(streams[b])


@njit(cache=True)
def start_glasses(spins: Any, right: Any, down: Any, streams: Any, energy: Any) -> None:
    """Random spins, and their energies."""
    for b in range(spins.shape[0]):
        for i in range(spins.shape[1]):
            for j in range(spins.shape[2]):
                spins[b, i, j] = 1 if uniform(streams[b]) < 0.5 else -1
        energy[b] = bond_energy(spins[b], right[b], down[b])


class IsingAnnealVectorEnv(BatchEnv):
    """Batch of :class:`IsingAnnealEnv`; its docstring is the manual."""

    objective: ClassVar[str] = "tune"
    domain: ClassVar[str] = "synthesis"
    score_direction: ClassVar[str] = "minimize"
    score_unit: ClassVar[str] = "|E0|"

    def __init__(self, num_envs: int = 1, **kwargs: Any) -> None:
        low = np.array([-8, 0, 0, -10, 0, 0, 0], np.float32)
        high = np.array([8, 8, 1, 0, 8, 1, 1], np.float32)
        super().__init__(
            num_envs,
            spaces.Box(low, high),
            spaces.Box(-1.0, 1.0, (1,), np.float32),
            action_parameters=(CHANGE,),
            **kwargs,
        )
        size = SIZES[self.difficulty]
        self.instrument = Furnace(TEMPERATURE, Parameter("field", 0.0, 0.0, "J"), SWEEPS)
        self._size = size
        lattice = (num_envs, size, size)
        self._spins, self._right, self._down, self._planted = np.ones((4, *lattice), np.int8)
        self._energy, self._best, self._ground = np.zeros((3, num_envs), np.int64)
        self._temperature, self._scale, self._c2_fraction = np.ones((3, num_envs))
        self._statistics = np.zeros((3, num_envs))
        self._step_of_best = np.zeros(num_envs, np.int64)

    _configuration = BatchEnv._configuration | {"_size"}

    @property
    def temperature(self) -> NDArray[np.float64]:
        """Set-points of the furnace, shape (B,), as its display shows them."""
        return self._temperature.copy()

    def _reset(self, lanes: NDArray[np.intp]) -> None:
        shift = self.split == "shift"
        streams = self.streams[lanes]
        shape = (len(lanes), self._size, self._size)
        spins, right, down, planted = np.empty((4, *shape), np.int8)
        temperature, scale, c2_fraction = np.empty((3, len(lanes)))
        energy = np.empty(len(lanes), np.int64)
        statistics = np.empty((3, len(lanes)))
        draw_log_uniform(START_TEMPERATURE, streams, temperature)
        draw_log_uniform(SHIFT_SCALE if shift else SCALE, streams, scale)
        low, high = SHIFT_C2_FRACTION if shift else C2_FRACTION
        draw_log_uniform((1.0, np.e), streams, c2_fraction)
        c2_fraction = low + (high - low) * np.log(c2_fraction)
        ground = plant_tiles(c2_fraction, streams, right, down, planted)
        start_glasses(spins, right, down, streams, energy)
        best = energy.copy()
        hold(spins, right, down, scale, temperature, streams, SWEEPS, energy, best, statistics)
        self._spins[lanes], self._right[lanes], self._down[lanes] = spins, right, down
        self._planted[lanes] = planted
        self._energy[lanes], self._best[lanes], self._ground[lanes] = energy, best, ground
        self._temperature[lanes], self._scale[lanes] = temperature, scale
        self._c2_fraction[lanes] = c2_fraction
        self._statistics[:, lanes] = statistics
        self._step_of_best[lanes] = 0
        self.streams[lanes] = streams
        self.ledger.table[2, lanes] = (best - ground) / -ground
        self.ledger.table[4, lanes] = best == ground

    def _step(
        self, action: NDArray[np.float32]
    ) -> tuple[NDArray[np.float64], NDArray[np.bool_], dict[str, NDArray[np.float64]]]:
        previous, before = self._temperature, self._best.copy()
        wanted = previous * np.exp(CHANGE.from_action(action[:, 0]))
        self._temperature = np.clip(wanted, TEMPERATURE.low, TEMPERATURE.high)
        hold(
            self._spins,
            self._right,
            self._down,
            self._scale,
            self._temperature,
            self.streams,
            SWEEPS,
            self._energy,
            self._best,
            self._statistics,
        )
        ramp = Furnace.SECONDS_PER_UNIT_TEMPERATURE * np.abs(self._temperature - previous)
        self.ledger.charge(ramp + Furnace.SECONDS_PER_SWEEP * SWEEPS)
        residual = (self._best - self._ground) / -self._ground
        self.ledger.assess(residual, residual == 0.0)
        self._step_of_best[self._best < before] = self._steps[self._best < before] + 1
        gap = (before - self._ground) / -self._ground
        reward = REWARD_SCALE * np.log((gap + SOFTENING) / (residual + SOFTENING))
        terminated = (residual == 0.0) | (self._steps + 1 >= STEPS)
        return reward, terminated, {"improvement": reward.copy()}

    def _observe(self) -> NDArray[np.float32]:
        sites = self._size**2
        kelvin = self._temperature / self._scale  # T in units of the hidden scale
        mean, variance, acceptance = self._statistics
        columns = (
            np.arcsinh(mean / (sites * kelvin)),
            np.log1p(np.sqrt(variance) / (kelvin * np.sqrt(sites))),
            acceptance,
            np.log(np.maximum(acceptance, LEAST_ACCEPTANCE)),
            np.log1p((self._energy - self._best) / kelvin),
            (self._steps - self._step_of_best) / STEPS,
            1.0 - self._steps / STEPS,
        )
        return np.stack(columns, axis=1).astype(np.float32)

    def program(self, lane: int = 0) -> list[str]:
        """Ramp and hold of the last action of a lane, as text."""
        return [
            self.instrument["set_temperature"].text(temperature=self._temperature[lane]),
            self.instrument["hold"].text(sweeps=SWEEPS),
        ]

    def _render(self, lane: int) -> NDArray[np.uint8]:
        # Left: spins. Right: energy of every site, where frustration sits.
        s, right, down = self._spins[lane], self._right[lane], self._down[lane]
        pull = right * np.roll(s, -1, 1) + down * np.roll(s, -1, 0)
        pull = pull + np.roll(right * s, 1, 1) + np.roll(down * s, 1, 0)
        spins = image_to_rgb(s, -1.0, 1.0, size=256)
        energies = image_to_rgb(-s * pull, -8.0, 8.0, cmap="magma", size=256)
        gap = np.full((spins.shape[0], 8, 3), 24, np.uint8)
        frame = np.concatenate([spins, gap, energies], axis=1)
        text = f"T={self._temperature[lane]:.2f}  E-E0={self._energy[lane] - self._ground[lane]}"
        text += f"  best {self._best[lane] - self._ground[lane]}  (spins | site energy)"
        return add_status_strip(frame, text, 1.0 - self._steps[lane] / STEPS)


class IsingAnnealEnv(SingleEnv):
    r"""Cool a spin glass whose energy scale is hidden, and find its ground state.

    Description
    -----------
    A spin glass on an L x L periodic square lattice (L = 12) with a planted, hence exactly known,
    ground state: a fraction p2 ~ U(0.5, 1) of its tiles is of class C2, the rest C3. All couplings
    are multiplied by a hidden g, log-uniform in 1/3..3, and the furnace starts at a temperature
    log-uniform in 0.5..6 with random spins that were held there for 20 sweeps. No schedule of
    temperatures fits every g: the agent has to read the scale from how the glass responds.

    Instrument and costs
    --------------------
    The furnace: ``set_temperature`` (60 s per unit of T) and ``hold`` (1 s a sweep; heat bath in
    checkerboard order). One step is a ramp and 20 sweeps. The clock is a convention.

    Action Space
    ------------
    ``Box(-1, 1, (1,), float32)``, mapped to a change of ln T of -0.5..0.5; the furnace stays
    within T = 0.1..10 J/kB.

    Observation Space
    -----------------
    ``Box(7,)`` float32, free of the scale g: asinh(E/(N T)) with the mean energy of the last 20
    sweeps; ln(1 + sigma_E/(T sqrt N)); acceptance, the fraction of visited spins that flipped; its
    logarithm (not below ln 1e-4); ln(1 + (E - E_best)/T) with the energy now; steps since the best
    energy was found, and steps left, both as fractions of 50.

    Reward
    ------
    0.1 ln[(r_old + q)/(r_new + q)] with the residual r = (E_best - E0)/\|E0\| and q = 0.002: a
    potential difference, so it cannot be earned twice; most of it is earned near the ground state.

    Success and score
    -----------------
    Score: the residual r of the best energy after any sweep (0 is the ground state). Success: the
    ground state was found.

    Starting State
    --------------
    A new glass, scale and temperature at every reset; ``split="shift"`` draws g in 3..6 and p2 in
    0.9..1: stiffer and more frustrated than anything in training.

    Episode End
    -----------
    ``terminated`` when the ground state is found or after 50 steps.

    Arguments
    ---------
    split : {"train", "test", "shift"}
    difficulty : {"easy", "standard", "hard"}
        L = 8, 12, 16.

    Baselines
    ---------
    random, scripted (geometric from 4 to 0.3), servo (holds the acceptance on a falling set-point),
    expert (a schedule in T/g, tuned, that knows g and p2), ppo.

    References
    ----------
    Mills, K., Ronagh, P. & Tamblyn, I. (2020), Nat. Mach. Intell. 2, 509; arXiv:2003.00011.
    Hamze, F. et al. (2018), Phys. Rev. E 97, 043303.

    Version History
    ---------------
    v0: initial version.
    """

    batch_class = IsingAnnealVectorEnv
