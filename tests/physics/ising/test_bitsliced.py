"""Bit-sliced Ising kernels: their law site by site, exact energies, and independence of lanes."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import chi2

from mattergym.physics.ising import checkerboard, exact, observables, sweeps
from mattergym.physics.ising import planes as ising_planes
from mattergym.physics.ising.batch import UNCONDITIONAL, LatticeBatch
from mattergym.physics.ising.couplings import FERROMAGNET, Bonds, Diagonal, Uniform
from mattergym.physics.ising.lattice import BIG_STREAMS, BigLattice
from mattergym.physics.rng import next_uint64, seed_streams

RULES = ["heat_bath", "metropolis"]


def streams(count, seed=0):
    return seed_streams(np.full(count, seed, np.uint64), np.arange(count, dtype=np.uint64), 0)


def random_spins(shape, seed=0):
    return (2 * np.random.default_rng(seed).integers(0, 2, shape) - 1).astype(np.int8)


def neighbour_sum(spins):
    s = spins.astype(int)
    return np.roll(s, 1, -1) + np.roll(s, -1, -1) + np.roll(s, 1, -2) + np.roll(s, -1, -2)


def plain_sums(spins):
    s = spins.astype(int)
    pairs = (s, s * np.roll(s, -1, -1), s * np.roll(s, -1, -2))
    return np.stack([x.sum((-2, -1)) for x in pairs], axis=-1)


def one_sweep_in_plain_python(spins, temperature, field, coupling, stream):
    """The law of the batch kernel, site by site, from its description."""
    cut = ising_planes.tiling(len(spins))
    numerators = np.empty(5, np.uint64)
    ising_planes.class_probabilities(temperature, field, coupling, False, numerators)
    size = len(spins)
    for colour in range(2):
        for r in range(cut.rows):
            for c in range((r + colour) % 2, cut.columns, 2):
                tiles = np.arange(64)
                i = tiles // cut.across * cut.rows + r
                j = tiles % cut.across * cut.columns + c
                total = (
                    spins[i - 1, j]
                    + spins[(i + 1) % size, j]
                    + spins[i, j - 1]
                    + spins[i, (j + 1) % size]
                )
                threshold = numerators[(total + 4) // 2].astype(object)
                number = np.zeros(64, object)
                levels = 0
                undecided = np.ones(64, bool)
                while levels < 32 and (levels < UNCONDITIONAL or undecided.any()):
                    draw = int(next_uint64(stream))
                    levels += 1
                    number = 2 * number + np.array([(draw >> t) & 1 for t in range(64)], object)
                    tops = [min(int(q), 2**32 - 1) >> (32 - levels) for q in threshold]
                    undecided = number == np.array(tops, object)
                tops = np.array([int(q) >> (32 - levels) for q in threshold], object)
                spins[i, j] = np.where(number < tops, 1, -1)


@pytest.mark.parametrize("size", [16, 32, 48])
def test_batch_kernel_is_its_description_bit_for_bit(size):
    spins = random_spins((3, size, size))
    temperature, field = np.array([0.05, 2.3, 12.0]), np.array([-0.3, 0.1, 10.0])
    coupling = np.array([1.0, 1.2, -0.8])
    batch, state, plain_state = LatticeBatch(spins), streams(3), streams(3)
    batch.sweep(temperature, field, state, 3, coupling)
    for lane in range(3):
        for _ in range(3):
            one_sweep_in_plain_python(
                spins[lane], temperature[lane], field[lane], coupling[lane], plain_state[lane]
            )
    assert np.array_equal(batch.spins, spins)
    assert np.array_equal(state, plain_state)


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("size", [16, 32, 64])
def test_a_lane_is_the_same_in_any_batch(size, rule):
    spins, state = random_spins((64, size, size)), streams(64)
    temperature = np.geomspace(0.05, 12.0, 64)
    field = np.random.default_rng(1).uniform(-10, 10, 64)
    whole, whole_state = LatticeBatch(spins), state.copy()
    whole.sweep(temperature, field, whole_state, 20, 1.1, rule)
    for lanes in ([0], [63], [5, 40, 9], list(range(7, 18)), list(range(63, -1, -1))):
        part, part_state = LatticeBatch(spins[lanes]), state[lanes]
        for _ in range(20):
            part.sweep(temperature[lanes], field[lanes], part_state, 1, 1.1, rule)
        assert np.array_equal(part.spins, whole.spins[lanes])
        assert np.array_equal(part_state, whole_state[lanes])
        assert np.array_equal(part.sums, whole.sums[lanes])


def chi_square_of_one_sweep(before, after, temperature, field, rule):
    """Compare how often each kind of site ended up with the exact probability of its kind."""
    colour = np.indices(before.shape).sum(0) % 2
    mixed = np.where(colour == 0, after, before)
    statistic, freedom = 0.0, 0
    for parity, neighbours, old in ((0, before, before), (1, mixed, before)):
        total = neighbour_sum(neighbours)
        for value in range(-4, 5, 2):
            for spin in (-1, 1):
                mine = (colour == parity) & (total == value) & (old == spin)
                p = checkerboard.up_probability(
                    value + field, spin, temperature, rule == "metropolis"
                )
                n, up = mine.sum(), (after[mine] == 1).sum()
                variance = n * p * (1 - p)
                if variance < 10:
                    assert abs(up - n * p) <= 8 + 8 * np.sqrt(variance)
                    continue
                statistic += (up - n * p) ** 2 / variance
                freedom += 1
    return statistic, freedom


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("kernel", ["batch", "big"])
def test_acceptance_of_every_class_is_exact(kernel, rule):
    rng = np.random.default_rng(3)
    statistic, freedom = 0.0, 0
    for seed in range(40):
        temperature, field = rng.uniform(0.5, 12), rng.uniform(-4, 4)
        before = random_spins((512, 512), seed)
        if kernel == "big":
            lattice = BigLattice(before)
            lattice.sweep(temperature, field, streams(BIG_STREAMS, seed), 1, 1.0, rule)
            after = lattice.spins
        else:
            batch = LatticeBatch(before[None])
            batch.sweep(temperature, field, streams(1, seed), 1, 1.0, rule)
            after = batch.spins[0]
        x, n = chi_square_of_one_sweep(before, after, temperature, field, rule)
        statistic, freedom = statistic + x, freedom + n
    assert freedom > 200
    assert chi2.ppf(1e-4, freedom) < statistic < chi2.ppf(1 - 1e-4, freedom)


def test_rare_acceptances_are_not_biased():
    # p = 1e-5: 24 bits would be off by 0.3 %, which this many trials could not see, 12 by 100 %.
    field = 4.0 + 0.5 * np.log(1e-5 / (1 - 1e-5))
    before = np.full((1024, 1024), -1, np.int8)
    ups = 0
    for seed in range(20):
        lattice = BigLattice(before)
        lattice.sweep(1.0, field, streams(BIG_STREAMS, seed), 1)
        ups += (lattice.spins[np.indices(before.shape).sum(0) % 2 == 0] == 1).sum()
    expected = 20 * 2**19 * 1e-5
    assert abs(ups - expected) < 4.5 * np.sqrt(expected)


@pytest.mark.parametrize("rule", RULES)
def test_certain_is_certain(rule):
    for sign in (-1, 1):
        spins = random_spins((64, 64))
        lattice, batch = BigLattice(spins), LatticeBatch(spins[None])
        lattice.sweep(0.05, 10.0 * sign, streams(BIG_STREAMS), 2000, 1.0, rule)
        batch.sweep(0.05, 10.0 * sign, streams(1), 2000, 1.0, rule)
        assert (lattice.spins == sign).all()
        assert (batch.spins == sign).all()
    numerators = np.empty(5, np.uint64)
    ising_planes.class_probabilities(0.05, 10.0, 1.0, False, numerators)
    assert (numerators == 2**32).all()


def z_of_kaufman(samples, size, temperature):
    """Deviation of independent runs, one a row, from the exact energy, and the error."""
    means = samples.mean(1)
    error = means.std(ddof=1) / np.sqrt(len(means))
    return (means.mean() - exact.kaufman_energy(size, temperature)) / error, error


TEMPERATURES = [1.5, 2.0, exact.critical_temperature(), 2.5, 3.5]


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("temperature", TEMPERATURES)
def test_energy_of_16_x_16_is_kaufmans(temperature, rule):
    batch, state = LatticeBatch(np.ones((64, 16, 16), np.int8)), streams(64, 8)
    batch.sweep(temperature, 0.0, state, 2000, 1.0, rule)
    energies = []
    for _ in range(2500):
        batch.sweep(temperature, 0.0, state, 10, 1.0, rule)
        energies.append(-batch.sums[:, 1:].sum(1) / 256)
    z, error = z_of_kaufman(np.array(energies).T, 16, temperature)
    assert abs(z) < 4.2
    assert error < 1e-3


@pytest.mark.parametrize("temperature", TEMPERATURES)
def test_energy_of_64_x_64_is_kaufmans(temperature):
    energies = []
    between = 450 if temperature == exact.critical_temperature() else 50
    for seed in range(24):
        lattice, state = BigLattice(np.ones((64, 64), np.int8)), streams(BIG_STREAMS, seed)
        lattice.sweep(temperature, 0.0, state, 10_000)
        row = []
        for _ in range(1000):
            lattice.sweep(temperature, 0.0, state, between)
            row.append(-lattice.sums[1:].sum() / 4096)
        energies.append(row)
    z, error = z_of_kaufman(np.array(energies), 64, temperature)
    assert abs(z) < 4.8
    assert error < 5e-4


@pytest.mark.parametrize(
    ("rule", "low", "high"), [("heat_bath", 480, 700), ("metropolis", 150, 235)]
)
def test_autocorrelation_time_at_the_critical_point(rule, low, high):
    batch, state = LatticeBatch(np.ones((64, 64, 64), np.int8)), streams(64, 2)
    temperature, every = exact.critical_temperature(), 10
    batch.sweep(temperature, 0.0, state, 4000, 1.0, rule)
    samples = np.empty((64, 4096))
    for k in range(4096):
        batch.sweep(temperature, 0.0, state, every, 1.0, rule)
        samples[:, k] = np.abs(batch.sums[:, 0])
    samples -= samples.mean()
    spectrum = np.abs(np.fft.rfft(samples, 8192)) ** 2
    correlation = np.fft.irfft(spectrum)[:, :4096].mean(0) / np.arange(4096, 0, -1)
    rho = correlation / correlation[0]
    tau = 0.5 + np.cumsum(rho[1:])
    window = int(np.argmax(np.arange(1, 4096) > 6 * tau))
    assert low < every * tau[window] < high


@pytest.mark.parametrize("coupling", [1.0, -0.7])
def test_energy_and_moment_agree_with_the_int8_kernel(coupling):
    t, h = (x.ravel() for x in np.meshgrid([0.8, 2.6, 3.5, 7.0], [-2.0, -0.4, 0.2, 3.0, 10.0]))
    replicas = 24
    t, h = t.repeat(replicas), h.repeat(replicas)
    spins = np.where(h > 0, 1, -1)[:, None, None].repeat(16, 1).repeat(16, 2).astype(np.int8)
    batch, state, plain_state = LatticeBatch(spins), streams(len(t)), streams(len(t), 1)
    couplings = Uniform(coupling, coupling)
    fast, plain = [], []
    sums = np.empty((len(t), 3), np.int64)
    for _ in range(12):
        batch.sweep(t, h, state, 40, coupling)
        checkerboard.checkerboard_sweeps(spins, t, h, plain_state, 40, couplings)
        observables.spin_sums(spins, sums)
        fast.append(batch.sums.copy())
        plain.append(sums.copy())
    fast, plain = (
        np.mean(x[2:], axis=0).reshape(-1, replicas, 3)[:, :, [0, 1]] for x in (fast, plain)
    )
    error = np.sqrt((fast.var(1, ddof=1) + plain.var(1, ddof=1)) / replicas)
    difference = fast.mean(1) - plain.mean(1)
    assert (np.abs(difference) < 5.5 * error + 0.05).all()


@pytest.mark.parametrize("size", [16, 48, 64, 80, 128])
@pytest.mark.parametrize("rule", RULES)
def test_packing_and_measuring(size, rule):
    spins = random_spins((9, size, size))
    batch, lattice = LatticeBatch(spins), BigLattice(spins[4])
    assert np.array_equal(batch.spins, spins)
    assert np.array_equal(lattice.spins, spins[4])
    assert np.array_equal(batch.sums, plain_sums(spins))
    assert np.array_equal(lattice.sums, plain_sums(spins[4]))
    batch.sweep(3.0, 0.2, streams(9), 3, 1.0, rule)
    lattice.sweep(3.0, 0.2, streams(BIG_STREAMS), 3, 1.0, rule)
    assert np.array_equal(batch.sums, plain_sums(batch.spins))
    assert np.array_equal(lattice.sums, plain_sums(lattice.spins))


@pytest.mark.parametrize("size", [16, 64])
def test_front_door_chooses_lane_by_lane(size):
    spins, state = random_spins((4, size, size)), streams(4)
    jx, jy = np.array([1.0, 1.0, 0.5, 1.3]), np.array([1.0, 0.6, 0.5, 1.3])
    t, h = np.array([1.0, 2.0, 3.0, 4.0]), np.array([0.1, 0.0, -2.0, 5.0])
    together, together_state = spins.copy(), state.copy()
    sweeps.heat_bath_sweeps(together, t, h, together_state, 5, Uniform(jx, jy))
    for b in range(4):
        mine = slice(b, b + 1)
        alone, alone_state = spins[mine].copy(), state[mine].copy()
        uniform = Uniform(jx[mine], jy[mine])
        sweeps.heat_bath_sweeps(alone, t[mine], h[mine], alone_state, 5, uniform)
        assert np.array_equal(alone[0], together[b])
        assert np.array_equal(alone_state[0], together_state[b])
    plain = spins[1:2].copy()
    checkerboard.checkerboard_sweeps(plain, 2.0, 0.0, streams(4)[1:2], 5, Uniform(1.0, 0.6))
    assert np.array_equal(plain[0], together[1])


@pytest.mark.parametrize("size", [4, 24])
def test_other_sizes_and_couplings_fall_back_to_int8(size):
    spins = random_spins((2, size, size))
    ones = np.ones_like(spins)
    for couplings in (FERROMAGNET, Diagonal(1.0, 0.2), Bonds(ones, ones)):
        plain, fast = spins.copy(), spins.copy()
        checkerboard.checkerboard_sweeps(plain, 2.0, 0.1, streams(2), 3, couplings)
        sweeps.heat_bath_sweeps(fast, 2.0, 0.1, streams(2), 3, couplings)
        assert np.array_equal(plain, fast)


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: LatticeBatch(np.ones((1, 24, 24), np.int8)), "L = 24"),
        (lambda: LatticeBatch(np.ones((16, 16), np.int8)), "spins is int8"),
        (lambda: BigLattice(np.ones((64, 64))), "float64"),
        (lambda: BigLattice(np.zeros((64, 64), np.int8)), "other than"),
        (lambda: batch_of_two().sweep(0.0, 0.0, streams(2), 1), "temperature = 0"),
        (lambda: batch_of_two().sweep(np.nan, 0.0, streams(2), 1), "temperature = nan"),
        (lambda: batch_of_two().sweep(1.0, np.zeros(3), streams(2), 1), "field"),
        (lambda: batch_of_two().sweep(1.0, 0.0, streams(3), 1), "streams"),
        (lambda: batch_of_two().sweep(1.0, 0.0, streams(2), -1), "sweeps = -1"),
        (lambda: batch_of_two().sweep(1.0, 0.0, streams(2), 1, 1.0, "wolff"), "rule"),
        (lambda: BigLattice(np.ones((64, 64), np.int8)).sweep(1.0, 0.0, streams(1), 1), "streams"),
    ],
)
def test_bad_input_raises_a_sentence(call, words):
    with pytest.raises(ValueError, match=words):
        call()


def batch_of_two():
    return LatticeBatch(np.ones((2, 16, 16), np.int8))


def test_compiled_helpers_equal_plain_python():
    spins = random_spins((2, 16, 16))
    planes, twin = ising_planes.batch_planes(2, 16), ising_planes.batch_planes(2, 16)
    across = ising_planes.tiling(16).across
    ising_planes.pack(spins, planes, across)
    ising_planes.pack.py_func(spins, twin, across)
    assert np.array_equal(planes, twin)
    out = np.empty_like(spins)
    ising_planes.unpack.py_func(planes, across, out)
    assert np.array_equal(out, spins)
    wide = random_spins((2, 32, 32))
    out = np.empty_like(wide)
    ising_planes._unpack_eights.py_func(LatticeBatch(wide)._planes, 4, out)
    assert np.array_equal(out, wide)
    for metropolis in (False, True):
        a, b = np.empty((2, 5), np.uint64)
        ising_planes.class_probabilities(2.3, 0.4, 1.1, metropolis, a)
        ising_planes.class_probabilities.py_func(2.3, 0.4, 1.1, metropolis, b)
        assert np.array_equal(a, b)


def test_coefficients_pick_the_plane_of_every_neighbour_count():
    neighbours = np.array([[(k >> n) & 1 for k in range(16)] for n in range(4)], np.uint64)
    neighbours = np.uint64(0) - neighbours
    planes = np.random.default_rng(0).integers(0, 2**64, 5, np.uint64)
    for count, coefficients in (
        (ising_planes.neighbour_counts, ising_planes.coefficients),
        (ising_planes.neighbour_counts.py_func, ising_planes.coefficients.py_func),
    ):
        c = coefficients(*planes)
        for around in neighbours.T:
            masks = count(*around)
            picked = c[0]
            for mask, term in zip(masks, c[1:], strict=True):
                picked = picked ^ (mask & term)
            assert np.uint64(picked) == planes[(around > 0).sum()]
