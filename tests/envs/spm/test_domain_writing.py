"""SPMDomainWriting-v0: the tip's law, what stays, what erases, and the analyst."""

from __future__ import annotations

import gymnasium as gym
import numpy as np
import pytest
from scipy.ndimage import distance_transform_edt, uniform_filter

import mattergym  # noqa: F401
from mattergym.agents import domain_writing as agents
from mattergym.benchmarks.evaluate import evaluate
from mattergym.benchmarks.validation.ferroelectric_pictures import fit_radius_law, radius_law
from mattergym.envs.objectives import intersection_over_union
from mattergym.envs.spm import domain_writing as task
from mattergym.physics.film import landau, writing
from mattergym.physics.rng import seed_streams

ID = "mattergym/SPMDomainWriting-v0"


def films(lanes, seed=0):
    white = np.random.default_rng(seed).normal(size=(2, lanes, 64, 64))
    smooth = landau.correlated_noise
    a = -1.0 + writing.DISORDER * smooth(white[0], writing.DISORDER_LENGTH)
    field = writing.RANDOM_FIELD * smooth(white[1], writing.RANDOM_FIELD_LENGTH)
    down = np.full((lanes, 64, 64), -1.0, np.float32)
    return down, a.astype(np.float32), field.astype(np.float32)


def write(film, a, field, volts, seconds, gain=1.0):
    lanes = len(film)
    streams = seed_streams(np.zeros(lanes, np.uint64), np.zeros(lanes, np.uint64), 0)
    everywhere = np.ones(lanes)
    writing.write(
        np.arange(lanes), film, a, field, np.full((lanes, 2), 31.5), everywhere * volts,
        everywhere * seconds, everywhere * gain, streams,
    )  # fmt: skip
    return film


def radius(film):
    return np.sqrt((film > 0.0).sum(axis=(1, 2)) / np.pi)


def test_radius_grows_with_voltage_and_the_logarithm_of_time():
    volts, seconds = np.meshgrid([3.0, 5.0, 7.0, 9.0], [1e-4, 1e-2, 1.0], indexing="ij")
    many = 6
    down, a, field = films(12 * many)
    film = write(down, a, field, np.repeat(volts.ravel(), many), np.repeat(seconds.ravel(), many))
    mean = radius(film).reshape(4, 3, many).mean(axis=2)
    assert (np.diff(mean, axis=0) > 0.2).all()
    assert (np.diff(mean, axis=1) > 0.2).all()
    assert mean[[0, -1], 0] == pytest.approx([1.9, 4.0], abs=0.25)
    assert mean[[0, -1], 2] == pytest.approx([4.2, 6.6], abs=0.25)


def test_domains_stay_and_are_erased_and_written_again():
    down, a, field = films(8)
    film = write(down, a, field, 6.0, 0.1)
    there = film > 0.0
    area = there.sum()
    for _ in range(50):
        write(film, a, field, 0.0, 1e-4)
    assert 0.96 < ((film > 0.0) & there).sum() / area <= 1.0
    write(film, a, field, -9.0, 1.0)
    assert (film > 0.0).mean() < 0.002
    write(film, a, field, 6.0, 0.1)
    assert (film > 0.0).sum() == pytest.approx(area, rel=0.1)


@pytest.mark.parametrize("seconds", [1e-4, 1e-2, 1.0])
def test_written_radius_follows_the_law_of_the_tip(seconds):
    """r = r_c + r_0 [(V/V_c)^2 - 1]^(1/3), within a tenth of a pixel of dots of 2 to 7."""
    volts, many = np.arange(3.0, 9.01, 0.5), 40
    film = write(*films(len(volts) * many), np.repeat(volts, many), seconds)
    mean = radius(film).reshape(-1, many).mean(axis=1)
    law = fit_radius_law(volts, mean)
    np.testing.assert_allclose(mean, radius_law(volts, *law), atol=0.12)
    r_c, r_0, v_c = law
    assert r_c > 0.0
    assert 1.0 < r_0 < 2.0
    assert 1.2 < v_c < 3.0
    # Another exponent fits worse: a straight line in V does by far.
    line = np.polyval(np.polyfit(volts, mean, 1), volts)
    assert np.abs(line - mean).max() > 1.5 * np.abs(radius_law(volts, *law) - mean).max()


def test_what_is_written_over_a_domain_counts():
    """The later pulse wins where it reaches, and what it does not reach stays."""
    down, a, field = films(12)
    small = radius(write(down.copy(), a, field, 4.0, 1e-3))
    large = radius(write(down.copy(), a, field, 8.0, 1e-1))
    film = write(down.copy(), a, field, 4.0, 1e-3)
    write(film, a, field, 8.0, 1e-1)
    assert radius(film) == pytest.approx(large, abs=0.35)
    # The weak pulse adds nothing to the large domain.
    write(film, a, field, 4.0, 1e-3)
    assert radius(film) == pytest.approx(large, abs=0.35)
    # One of the other sign punches a hole, of about the dot that it would write.
    write(film, a, field, -4.0, 1e-3)
    hole = np.sqrt(large**2 - radius(film) ** 2)
    assert hole.mean() == pytest.approx(small.mean(), rel=0.2)
    assert (film[:, 32, 32] < 0.0).all()
    # And a strong one of that sign erases the domain.
    write(film, a, field, -9.0, 1.0)
    assert (film > 0.0).mean() < 0.002


def test_pfm_image_is_the_polarization_with_noise_of_its_own():
    down, *_ = films(2)
    streams = seed_streams(np.arange(2, dtype=np.uint64), np.zeros(2, np.uint64), 0)
    out, alone = np.zeros_like(down), np.zeros_like(down)
    writing.image(np.arange(2), down, 0.25, streams.copy(), out)
    noise = out - down
    assert noise.mean() == pytest.approx(0.0, abs=0.01)
    assert noise.std() == pytest.approx(0.25, rel=0.03)
    assert abs(np.corrcoef(noise[0].ravel(), noise[1].ravel())[0, 1]) < 0.05
    writing.image(np.array([1]), down, 0.25, streams.copy(), alone)
    np.testing.assert_array_equal(alone[1], out[1])
    assert not alone[0].any()


def test_a_weaker_tip_writes_less():
    weak, strong = (radius(write(*films(6), 5.0, 1e-2, gain)).mean() for gain in (0.7, 1.4))
    assert weak + 0.5 < strong


def test_targets_are_what_they_are_called():
    streams = seed_streams(np.arange(200, dtype=np.uint64), np.zeros(200, np.uint64), 5)
    target = np.zeros((64, 64), np.bool_)
    kinds, shares = [], []
    for stream in streams:
        kinds.append(writing.draw_target(stream, target))
        shares.append(target.mean())
        rim = target.copy()
        rim[3:-3, 3:-3] = False
        assert not rim.any()
    assert set(kinds) == set(range(len(writing.SHAPES)))
    assert 0.04 < min(shares) < max(shares) < 0.65


def test_box_filter_is_the_mean_of_nine():
    source = np.random.default_rng(0).normal(size=(12, 17)).astype(np.float32)
    out = np.empty((12, 17))
    writing.box_filter(source, out)
    exact = uniform_filter(source.astype(np.float64), 3, mode="nearest")
    np.testing.assert_allclose(out, exact, atol=1e-12)


def test_largest_disc_is_the_discs():
    y, x = np.mgrid[:64, :64]
    mask = np.hypot(x - 40, y - 20) < 9.0
    mask |= np.hypot(x - 10, y - 50) < 4.0
    cx, cy, r = writing.largest_inside(mask, np.empty((68, 68), np.float32))
    assert (cx, cy) == (40.0, 20.0)
    assert r == pytest.approx(9.0, abs=0.7)
    assert writing.largest_inside(np.zeros_like(mask), np.empty((68, 68), np.float32))[2] == 0.0


def test_signed_distance():
    target = np.zeros((64, 64), np.bool_)
    target[20:40, 10:30] = True
    out = np.empty((64, 64))
    writing.signed_distance(target, np.empty((68, 68), np.float32), out)
    exact = distance_transform_edt(target) - distance_transform_edt(~target)
    np.testing.assert_allclose(out, exact - np.sign(exact) * 0.5, rtol=0.03, atol=0.05)


def test_iou():
    a = np.zeros((2, 4, 4), np.bool_)
    b = a.copy()
    a[0, :2], b[0, 1:3] = True, True
    np.testing.assert_allclose(intersection_over_union(a, b), [4 / 12, 1.0])


def test_both_observations_show_the_analyst_the_same():
    seen = []
    for kind in ("features", "image"):
        env = gym.make_vec(ID, num_envs=4, observation=kind)
        env.reset(seed=3)
        env.action_space.seed(0)
        for _ in range(5):
            observation, *_ = env.step(env.action_space.sample())
        seen.append(agents.NominalWriter(env).regions(observation))
    # The picture has eight bits, so a pixel may fall on the other side.
    assert np.abs(seen[0] - seen[1])[..., 2].max() < 1.0


def test_a_step_takes_a_pulse_and_a_frame():
    env = gym.make(ID).unwrapped
    env.reset(seed=0)
    program = env.task.program
    *_, info = env.step(program.encode(x=160.0, y=80.0, voltage=-6.0, duration=0.1))
    # Command, move and settling; the pulse; command, start and 64 lines at 8 Hz.
    assert info["elapsed_s"] == pytest.approx(1.35 + 0.1 + 0.35 + 1.5 + 64 / 8)
    pulse, frame = env.program()
    assert pulse.startswith("pulse x=160 nm y=80 nm voltage=-6 V duration=0.1 s")
    assert frame == "scan_frame lines=64 rate=8 Hz"


def test_order_of_the_agents():
    random, nominal, scripted = (
        evaluate(ID, agent, 60, num_envs=60).scores.mean()
        for agent in ("random", "nominal", "scripted")
    )
    expert = evaluate(ID, "expert", 6, num_envs=6).scores.mean()
    assert random < 0.2
    assert 0.72 < nominal < scripted < 0.87
    assert expert > 0.9


def test_kernels_as_plain_python():
    image = np.random.default_rng(0).normal(size=(2, 64, 64)).astype(np.float32)
    target = np.random.default_rng(1).random((2, 64, 64)) > 0.5
    results = []
    for kernel in (task.analyse, task.analyse.py_func):
        discs, blocks = np.empty((2, 2, 3)), np.empty((2, 2, 8, 8))
        kernel(image, target, image, discs, blocks)
        results.append((discs, blocks))
    for fast, plain in zip(*results, strict=True):
        np.testing.assert_allclose(fast, plain)
