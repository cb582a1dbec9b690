"""IsingReversal-v0: reverse a magnet while producing as little entropy as possible."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from gymnasium import spaces
from numba import njit

from mattergym.envs.base import BatchEnv, SingleEnv
from mattergym.envs.instruments import Furnace, Parameter
from mattergym.envs.objectives import switch_entropy
from mattergym.envs.rendering import add_scale_bar, add_status_strip, image_to_rgb
from mattergym.envs.validation import checked_choice
from mattergym.physics.ising_bits import batch_planes, sweep_batch
from mattergym.physics.ising_free_energy import log_partition_function, table
from mattergym.physics.ising_planes import VECTOR, tiling, unpack

if TYPE_CHECKING:
    from numpy.typing import NDArray

SIZE = 32
SITES = SIZE * SIZE
ACROSS = tiling(SIZE).across
TEMPERATURE = Parameter("temperature", 0.05, 12.0, "J/kB")
FIELD = Parameter("field", -10.0, 10.0, "J")
T_LOW, T_HIGH, H_HIGH = TEMPERATURE.low, TEMPERATURE.high, FIELD.high
RAMP_S, SWEEP_S = Furnace.SECONDS_PER_UNIT_TEMPERATURE, Furnace.SECONDS_PER_SWEEP
END_TEMPERATURE, END_FIELD = 0.7, 1.0
SWEEPS = {"easy": 200, "standard": 100, "hard": 50}
SUCCESS_MAGNETIZATION = 0.9
# Rows of the state, one column a lane.
T, H, J, STEP, SIGMA, LOG_Z = range(6)


@njit(cache=True)
def lattice_energy(sums: Any, coupling: float, field: float) -> float:
    """Total energy -J (sum of bonds) - h (sum of spins) from the sums of spin_sums."""
    return -coupling * (sums[1] + sums[2]) - field * sums[0]


@njit(cache=True)
def reverse_one_sweep(
    action: Any,
    planes: Any,
    streams: Any,
    state: Any,
    sums: Any,
    ledger: Any,
    excess: Any,
    horizon: int,
    reward: Any,
    final_reward: Any,
    terminated: Any,
) -> None:
    """Switch T and h, sweep once, and keep the books, for every lane.

    action float32 (B, 2); planes as of ising_bits.batch_planes; streams uint64 (B, 4); state
    float64 (6, B) with rows T, h, J, step, sigma, ln Z / N; sums int64 (B, 3); ledger float64
    (5, B); excess as ising_free_energy.table; reward, final_reward float64 (B,); terminated bool
    (B,).
    """
    for b in range(action.shape[0]):
        t_old, h_old, coupling = state[T, b], state[H, b], state[J, b]
        t = T_LOW + 0.5 * (T_HIGH - T_LOW) * (np.float64(action[b, 0]) + 1.0)
        h = H_HIGH * np.float64(action[b, 1])
        switch = switch_entropy(
            lattice_energy(sums[b], coupling, h_old),
            t_old,
            lattice_energy(sums[b], coupling, h),
            t,
        )
        log_z = log_partition_function(t, h, coupling, excess)
        potential = SITES * (log_z - state[LOG_Z, b])
        state[LOG_Z, b] = log_z
        state[T, b] = t
        state[H, b] = h
        state[STEP, b] += 1.0
        state[SIGMA, b] += switch
        reward[b] = -(switch + potential)
        ledger[0, b] += RAMP_S * abs(t - t_old) + SWEEP_S
    sweep_batch(planes, ACROSS, state[T], state[H], state[J], streams, 1, False, sums)
    for b in range(action.shape[0]):
        t, h, coupling = state[T, b], state[H, b], state[J, b]
        last = switch_entropy(
            lattice_energy(sums[b], coupling, h),
            t,
            lattice_energy(sums[b], coupling, END_FIELD),
            END_TEMPERATURE,
        )
        terminated[b] = state[STEP, b] >= horizon
        final_reward[b] = 0.0
        if terminated[b]:
            log_z = log_partition_function(END_TEMPERATURE, END_FIELD, coupling, excess)
            potential = SITES * (log_z - state[LOG_Z, b])
            final_reward[b] = -(last + potential)
            reward[b] += final_reward[b]
        # The score of an unfinished episode is what switching to the end point now would give.
        ledger[2, b] = state[SIGMA, b] + last
        ledger[4, b] = 1.0 if sums[b, 0] > SUCCESS_MAGNETIZATION * SITES else 0.0


@njit(cache=True)
def start_log_partition(coupling: Any, excess: Any) -> Any:
    """Compute ln Z / N at the starting point for couplings float64 (n,)."""
    out = np.empty(coupling.shape[0])
    for k in range(coupling.shape[0]):
        out[k] = log_partition_function(END_TEMPERATURE, -END_FIELD, coupling[k], excess)
    return out


@njit(cache=True)
def write_observation(state: Any, sums: Any, horizon: int, full: bool, out: Any) -> None:
    """Write the observation of every lane to ``out``, float32 (B, 6) or (B, 3)."""
    for b in range(out.shape[0]):
        n = 0
        if full:
            energy = lattice_energy(sums[b], state[J, b], state[H, b]) / SITES
            out[b, 0] = sums[b, 0] / SITES
            out[b, 1] = energy / 12.5
            out[b, 2] = (sums[b, 1] + sums[b, 2]) / (2 * SITES)
            n = 3
        out[b, n] = state[T, b] / 12.0
        out[b, n + 1] = state[H, b] / 10.0
        out[b, n + 2] = 1.0 - state[STEP, b] / horizon


class IsingReversalVectorEnv(BatchEnv):
    """Batch of :class:`IsingReversalEnv`; its docstring is the manual."""

    objective: ClassVar[str] = "make"
    domain: ClassVar[str] = "synthesis"
    score_direction: ClassVar[str] = "minimize"
    score_unit: ClassVar[str] = "nats"

    def __init__(self, num_envs: int = 1, observation: str = "full", **kwargs: Any) -> None:
        self.observation = checked_choice("observation", observation, ("full", "clock"))
        full = observation == "full"
        # Field and bonds together: -(10 + 2 J) / 12.5, J up to 1.3.
        low = np.array([-1, -1.01, -1, 0, -1, 0] if full else [0, -1, 0], np.float32)
        super().__init__(
            num_envs,
            spaces.Box(low, np.ones_like(low)),
            spaces.Box(-1.0, 1.0, (2,), np.float32),
            action_parameters=(TEMPERATURE, FIELD),
            **kwargs,
        )
        self._full = full
        self._horizon = SWEEPS[self.difficulty]
        self.instrument = Furnace(TEMPERATURE, FIELD, self._horizon)
        self._planes = batch_planes(num_envs, SIZE)
        self._sums = np.empty((num_envs, 3), np.int64)
        self._state = np.zeros((6, num_envs))

    _configuration = BatchEnv._configuration | {"observation", "_full", "_horizon"}

    @property
    def entropy_production(self) -> NDArray[np.float64]:
        """Sigma of every lane, as if the protocol ended now, shape (B,), in nats."""
        return self.ledger.table[2].copy()

    @property
    def spins(self) -> NDArray[np.int8]:
        """The lattices, a fresh int8 (B, 32, 32)."""
        spins = np.empty((self.num_envs, SIZE, SIZE), np.int8)
        unpack(self._planes, ACROSS, spins)
        return spins

    def action_of(
        self, temperature: NDArray[np.float64] | float, field: NDArray[np.float64] | float
    ) -> NDArray[np.float32]:
        """Return the action, float32 (..., 2), for temperatures and fields of any equal shape."""
        pair = TEMPERATURE.to_action(temperature), FIELD.to_action(field)
        return np.stack(np.broadcast_arrays(*pair), axis=-1)

    def _reset(self, lanes: NDArray[np.intp]) -> None:
        self._planes[lanes // VECTOR, ..., lanes % VECTOR] = 0  # all spins down
        self._sums[lanes] = (-SITES, SITES, SITES)
        self._state[:, lanes] = 0.0
        self._state[T, lanes] = END_TEMPERATURE
        self._state[H, lanes] = -END_FIELD
        self._state[J, lanes] = 1.0
        if self.split == "shift":
            for lane in lanes:
                self._state[J, lane] = self.generator(lane).uniform(1.1, 1.3)
        self._state[LOG_Z, lanes] = start_log_partition(self._state[J, lanes], table())
        # Switching to the end point at once: the field does 2 N h / T of work on dead spins.
        self.ledger.table[2, lanes] = 2.0 * SITES * END_FIELD / END_TEMPERATURE

    def _step(
        self, action: NDArray[np.float32]
    ) -> tuple[NDArray[np.float64], NDArray[np.bool_], dict[str, NDArray[np.float64]]]:
        reward, final = np.empty((2, self.num_envs))
        terminated = np.empty(self.num_envs, np.bool_)
        reverse_one_sweep(
            action,
            self._planes,
            self.streams,
            self._state,
            self._sums,
            self.ledger.table,
            table(),
            self._horizon,
            reward,
            final,
            terminated,
        )
        return reward, terminated, {"dissipation": reward - final, "final_switch": final}

    def _observe(self) -> NDArray[np.float32]:
        out = np.empty(self.observation_space.shape or (), np.float32)
        write_observation(self._state, self._sums, self._horizon, self._full, out)
        return out

    def program(self, lane: int = 0) -> list[str]:
        """Set-points and hold of the last action of a lane, as text."""
        t, h = self._state[T, lane], self._state[H, lane]
        return [
            self.instrument["set_temperature"].text(temperature=t),
            self.instrument["set_field"].text(field=h),
            self.instrument["hold"].text(sweeps=1),
        ]

    def _render(self, lane: int) -> NDArray[np.uint8]:
        frame = image_to_rgb(self.spins[lane], -1.0, 1.0, size=256)
        add_scale_bar(frame, 8 * frame.shape[0] // SIZE, "8 sites")
        t, h = self._state[T, lane], self._state[H, lane]
        m = self._sums[lane, 0] / SITES
        text = f"T={t:.2f}  h={h:+.2f}  m={m:+.2f}  sigma={self.ledger.table[2, lane]:.0f}"
        return add_status_strip(frame, text, 1.0 - self._state[STEP, lane] / self._horizon)


class IsingReversalEnv(SingleEnv):
    r"""Reverse a two-dimensional magnet in a hundred sweeps, wasting as little as possible.

    Description
    -----------
    A 32 x 32 Ising ferromagnet (J = 1, periodic) starts with all spins down at temperature 0.7 and
    field -1 and has to end at 0.7 and +1 after 100 sweeps. The furnace sets temperature and field
    before every sweep. Spins follow heat-bath (Glauber) dynamics in checkerboard order. Heating
    lets the magnet cross around its critical point instead of through a costly nucleation.

    Instrument and costs
    --------------------
    The furnace: ``set_temperature`` (60 s per unit of T), ``set_field`` (free), ``hold`` (1 s a
    sweep). One step is all three, with one sweep of hold. The clock is a convention.

    Action Space
    ------------
    ``Box(-1, 1, (2,), float32)``, mapped affinely: action[0] to T in 0.05..12 J/kB, action[1] to
    h in -10..10 J.

    Observation Space
    -----------------
    ``observation="full"``: ``Box((6,), float32)``. ``observation="clock"``: the last three entries.

    | index | quantity | unit | range |
    |---|---|---|---|
    | 0 | magnetization m | 1 | -1..1 |
    | 1 | energy per site, field included, / 12.5 | J | -1.01..1 |
    | 2 | nearest-neighbour correlation | 1 | -1..1 |
    | 3 | temperature / 12 | J/kB | 0..1 |
    | 4 | field / 10 | J | -1..1 |
    | 5 | fraction of the sweeps left | 1 | 0..1 |

    Reward
    ------
    The return is minus the entropy produced,

    .. math:: \sigma = E_f/T_f - E_0/T_0 - \sum_k \Delta E_k/T_k .

    The heats telescope, so sigma is a sum over switches of the jump of E/T at fixed spins. A
    potential N ln Z(T, h), tabulated for the infinite lattice, is added to each switch; it is
    equal at both ends and leaves the return unchanged, but turns every term into nearly the
    dissipation of that switch.
    Terms: ``dissipation`` (all switches but the last), ``final_switch``.

    Success and score
    -----------------
    Success: m > 0.9 (final). Score: sigma in nats, to be minimised; before the end, sigma as if
    the protocol ended now.

    Starting State
    --------------
    All spins down at T = 0.7, h = -1. ``split="shift"`` draws J ~ U(1.1, 1.3) an episode, hidden: a
    protocol tuned to J = 1 no longer fits. Train and test differ by their random streams only.

    Episode End
    -----------
    Terminated after 100 sweeps (easy 200, hard 50).

    Arguments
    ---------
    ``observation`` ("full" | "clock"), ``split``, ``difficulty``, ``render_mode``. The two
    observations are two tracks that must not be compared: "clock" is an open-loop protocol and
    obeys <sigma> >= 0; "full" is feedback, a Maxwell demon, and the second law with information
    lets it go lower.

    Baselines
    ---------
    random, scripted (field ramp over a heat bump to T = 4.6), expert, cem, ppo, sac. Published for
    the open-loop problem: near-equilibrium optimum 85.9, learned protocol 52.9.

    References
    ----------
    Rotskoff, G. M. & Crooks, G. E. (2015), Phys. Rev. E 92, 060102.
    NESTbench25 (2025), arXiv:2506.15122.
    Sagawa, T. & Ueda, M. (2010), Phys. Rev. Lett. 104, 090602.

    Version History
    ---------------
    v0: initial version. Since the bit-sliced kernel the random stream is another, the law the same.
    """

    batch_class = IsingReversalVectorEnv
