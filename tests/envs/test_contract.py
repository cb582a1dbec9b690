"""The laws that every registered environment obeys. Nothing in here knows a task."""

from __future__ import annotations

import json
import pickle
import subprocess
import sys
import warnings

import gymnasium as gym
import numpy as np
import pytest
from gymnasium.envs.registration import EnvSpec
from gymnasium.utils.env_checker import check_env

import mattergym  # noqa: F401
from mattergym.envs import TASKS

CASES = [
    pytest.param(task.id, track.kwargs, id=f"{task.id.split('/')[-1]}-{track.name}")
    for task in TASKS.values()
    for track in task.tracks
]
every = pytest.mark.parametrize(("env_id", "kwargs"), CASES)
INFO = {
    *("elapsed_s", "dose", "is_success", "score", "cost"),
    *("seed", "episode_index", "reward_terms"),
}


def leaves(observation):
    return list(observation.values()) if isinstance(observation, dict) else [observation]


def equal(a, b):
    return all(np.array_equal(x, y) for x, y in zip(leaves(a), leaves(b), strict=True))


def actions_for(env_id, kwargs, lanes, steps, seed=0):
    space = gym.make(env_id, **kwargs).action_space
    space.seed(seed)
    return np.array([[space.sample() for _ in range(lanes)] for _ in range(steps)])


@every
@pytest.mark.parametrize("lanes", [1, 3, 64])
def test_a_lane_is_the_single_environment(env_id, kwargs, lanes):
    horizon = TASKS[env_id].horizon
    steps = 2 * horizon + 10
    batch = gym.make_vec(env_id, num_envs=lanes, **kwargs)
    actions = actions_for(env_id, kwargs, lanes, steps)
    observation, _ = batch.reset(seed=11)
    checked = sorted({0, lanes // 2, lanes - 1})
    singles = {lane: gym.make(env_id, **kwargs) for lane in checked}
    resetting = dict.fromkeys(checked, False)
    for lane, env in singles.items():
        alone, _ = env.reset(seed=11 + lane)
        assert equal(alone, observation[lane] if not isinstance(observation, dict) else alone)
    for action in actions:
        observation, reward, terminated, truncated, info = batch.step(action)
        for lane, env in singles.items():
            if resetting[lane]:
                alone, alone_info = env.reset()
                result = (0.0, False, False)
            else:
                alone, *result, alone_info = env.step(action[lane])
            mine = (
                {k: v[lane] for k, v in observation.items()}
                if isinstance(observation, dict)
                else observation[lane]
            )
            assert equal(mine, alone)
            assert (reward[lane], terminated[lane], truncated[lane]) == tuple(result)
            assert info["score"][lane] == alone_info["score"]
            assert info["episode_index"][lane] == alone_info["episode_index"]
            resetting[lane] = result[1] or result[2]
    assert info["episode_index"].max() >= 1


@every
def test_an_action_never_changes_another_lane(env_id, kwargs):
    actions = actions_for(env_id, kwargs, 4, 10)
    other = actions.copy()
    other[:, 2] = actions_for(env_id, kwargs, 1, 10, seed=99)[:, 0]
    results = []
    for chosen in (actions, other):
        env = gym.make_vec(env_id, num_envs=4, **kwargs)
        env.reset(seed=5)
        for action in chosen:
            last = env.step(action)
        results.append(last)
    rest = [0, 1, 3]
    for a, b in zip(leaves(results[0][0]), leaves(results[1][0]), strict=True):
        assert np.array_equal(a[rest], b[rest])
    assert np.array_equal(results[0][1][rest], results[1][1][rest])


TRAJECTORY = """
import gymnasium as gym, numpy as np, hashlib, json, sys, mattergym
env = gym.make(sys.argv[1], **json.loads(sys.argv[2]))
digest = hashlib.sha256()
observation, _ = env.reset(seed=int(sys.argv[3]))
env.action_space.seed(0)
for _ in range(20):
    observation, reward, terminated, *_ = env.step(env.action_space.sample())
    for array in (observation.values() if isinstance(observation, dict) else [observation]):
        digest.update(array.tobytes())
    digest.update(np.float64(reward).tobytes())
    if terminated:
        env.reset()
print(digest.hexdigest())
"""


@every
def test_same_seed_same_trajectory_in_another_process(env_id, kwargs):
    def run(seed):
        command = [sys.executable, "-c", TRAJECTORY, env_id, json.dumps(kwargs), str(seed)]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout

    assert run(3) == run(3)
    assert run(3) != run(4)


@every
def test_gymnasium_checker_passes_without_warnings(env_id, kwargs):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        check_env(gym.make(env_id, **kwargs).unwrapped, skip_render_check=True)


@every
def test_stable_baselines3_checker_passes_without_warnings(env_id, kwargs):
    checker = pytest.importorskip("stable_baselines3.common.env_checker")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        checker.check_env(gym.make(env_id, **kwargs).unwrapped, warn=True, skip_render_check=True)


@every
@pytest.mark.parametrize("through", ["pickle", "state"])
def test_a_copy_continues_bit_for_bit(env_id, kwargs, through):
    env = gym.make_vec(env_id, num_envs=3, **kwargs).unwrapped
    actions = actions_for(env_id, kwargs, 3, 20)
    env.reset(seed=1)
    for action in actions[:10]:
        env.step(action)
    if through == "pickle":
        twin = pickle.loads(pickle.dumps(env))
    else:
        twin = gym.make_vec(env_id, num_envs=3, **kwargs).unwrapped
        twin.set_state(env.get_state())
    for action in actions[10:]:
        a, b = env.step(action), twin.step(action)
        assert equal(a[0], b[0])
        assert np.array_equal(a[1], b[1])


@every
def test_a_saved_state_outlives_what_comes_after_it(env_id, kwargs):
    env = gym.make_vec(env_id, num_envs=3, **kwargs).unwrapped
    actions = actions_for(env_id, kwargs, 3, 5)
    env.reset(seed=1)
    env.step(actions[0])
    state = env.get_state()
    first = [env.step(action) for action in actions]
    env.set_state(state)
    for expected, action in zip(first, actions, strict=True):
        got = env.step(action)
        assert equal(got[0], expected[0])
        assert np.array_equal(got[1], expected[1])


@every
def test_fresh_noise_keeps_the_present_and_changes_the_future(env_id, kwargs):
    env = gym.make_vec(env_id, num_envs=8, **kwargs).unwrapped
    actions = actions_for(env_id, kwargs, 8, 10)
    env.reset(seed=1)
    state = env.get_state()
    futures = []
    for seed in (None, 1, 2):
        env.set_state(state)
        if seed is not None:
            env.fresh_noise(seed)
        trace = []
        for action in actions:
            observation, *_, info = env.step(action)
            trace += [*leaves(observation), info["score"]]
        futures.append(np.concatenate([np.ravel(x) for x in trace]))
    assert not np.array_equal(futures[0], futures[1])
    assert not np.array_equal(futures[1], futures[2])


@every
def test_spec_survives_json(env_id, kwargs):
    env = gym.make(env_id, split="test", **kwargs)
    spec = EnvSpec.from_json(env.spec.to_json())
    a, _ = gym.make(spec).reset(seed=2)
    b, _ = env.reset(seed=2)
    assert equal(a, b)


@every
def test_observations_lie_in_their_space_and_no_component_is_constant(env_id, kwargs):
    # Enough lanes that random actions reach every cell of the sparse maps.
    lanes = 96
    env = gym.make_vec(env_id, num_envs=lanes, **kwargs)
    observation, _ = env.reset(seed=0)
    low, high = leaves(observation), leaves(observation)
    for action in actions_for(env_id, kwargs, lanes, TASKS[env_id].horizon + 5):
        observation, reward, *_, info = env.step(action)
        assert observation in env.observation_space
        assert np.isfinite(reward).all()
        for name in ("elapsed_s", "dose", "score", "cost"):
            assert np.isfinite(info[name]).all()
        for term in info["reward_terms"].values():
            assert np.isfinite(term).all()
        low = [np.minimum(a, b) for a, b in zip(low, leaves(observation), strict=True)]
        high = [np.maximum(a, b) for a, b in zip(high, leaves(observation), strict=True)]
    for a, b in zip(low, high, strict=True):
        assert (b.max(axis=0) > a.min(axis=0)).all()


@every
def test_observation_is_never_a_view(env_id, kwargs):
    env = gym.make_vec(env_id, num_envs=2, **kwargs)
    first, _ = env.reset(seed=0)
    kept = [x.copy() for x in leaves(first)]
    env.step(actions_for(env_id, kwargs, 2, 1)[0])
    assert equal(kept[0], leaves(first)[0])


@every
def test_info_is_complete_and_reward_is_the_sum_of_its_terms(env_id, kwargs):
    env = gym.make_vec(env_id, num_envs=4, **kwargs)
    _, info = env.reset(seed=7)
    assert set(info) >= INFO
    assert info["seed"].tolist() == [7, 8, 9, 10]
    spent = np.zeros(4)
    for action in actions_for(env_id, kwargs, 4, TASKS[env_id].horizon + 5):
        _, reward, _, _, info = env.step(action)
        terms = [v for k, v in info["reward_terms"].items() if not k.startswith("_")]
        np.testing.assert_allclose(np.sum(terms, axis=0), reward, rtol=1e-9, atol=1e-9)
        spent = np.maximum(spent, info["elapsed_s"])
    assert set(info) >= INFO
    assert (spent > 0).all()


@every
@pytest.mark.parametrize("mode", ["NextStep", "SameStep", "Disabled"])
def test_autoreset_and_truncation_as_gymnasium_does_them(env_id, kwargs, mode):
    limit, lanes = 7, 3
    native = gym.make_vec(
        env_id, num_envs=lanes, autoreset_mode=mode, max_episode_steps=limit, **kwargs
    )
    sync = gym.vector.SyncVectorEnv(
        [lambda: gym.make(env_id, max_episode_steps=limit, **kwargs)] * lanes, autoreset_mode=mode
    )
    assert native.metadata["autoreset_mode"] == sync.metadata["autoreset_mode"]
    a, _ = native.reset(seed=3)
    b, _ = sync.reset(seed=3)
    assert equal(a, b)
    for action in actions_for(env_id, kwargs, lanes, 2 * limit + 4):
        x, y = native.step(action), sync.step(action)
        assert equal(x[0], y[0])
        for i in (1, 2, 3):
            assert np.array_equal(x[i], y[i])
        for key in y[4]:
            if key in ("final_obs",):
                for p, q in zip(x[4][key], y[4][key], strict=True):
                    assert (p is None) == (q is None)
                    assert p is None or equal(p, q)
        assert ("final_info" in x[4]) == ("final_info" in y[4])
        if "final_info" in y[4]:
            assert np.array_equal(x[4]["final_info"]["score"], y[4]["final_info"]["score"])
            assert np.array_equal(x[4]["_final_info"], y[4]["_final_info"])
        assert np.array_equal(x[4]["score"], y[4]["score"])
        if mode == "Disabled" and (x[2] | x[3]).any():
            mask = x[2] | x[3]
            options = {"reset_mask": mask}
            p, _ = native.reset(options=options)
            assert list(options) == ["reset_mask"] and options["reset_mask"] is mask
            q, _ = sync.reset(options={"reset_mask": mask})
            assert equal(p, q)


def bad_actions(space):
    if isinstance(space, gym.spaces.Box):
        good = np.zeros(space.shape, np.float32)
        for value in (np.nan, np.inf, -np.inf, 1.5, -1.01):
            bad = good.copy()
            bad.flat[-1] = value
            yield bad
        yield np.zeros((space.shape[0] + 1,), np.float32)
        yield np.zeros(space.shape, np.int64)
        yield np.full(space.shape, "a")
    else:
        good = np.zeros(space.shape, np.int64)
        yield good - 1
        yield good + 10**6
        yield good + 0.5
        yield np.zeros((*space.shape, 7), np.int64)


@every
def test_bad_actions_raise_a_sentence_and_change_nothing(env_id, kwargs):
    env = gym.make_vec(env_id, num_envs=2, **kwargs).unwrapped
    single = gym.make(env_id, **kwargs).unwrapped
    env.reset(seed=0)
    single.reset(seed=0)
    before = pickle.dumps((env.get_state(), single.get_state()))
    for bad in bad_actions(env.single_action_space):
        with pytest.raises(ValueError, match="action") as error:
            env.step(np.array([bad, bad]))
        assert len(str(error.value)) > 20
        with pytest.raises(ValueError, match="action"):
            single.step(bad)
    with pytest.raises(ValueError, match="shape"):
        env.step(env.action_space.sample()[:1])
    assert pickle.dumps((env.get_state(), single.get_state())) == before


@every
def test_steps_out_of_order_raise(env_id, kwargs):
    action = actions_for(env_id, kwargs, 1, 1)[0]
    batch = gym.make_vec(env_id, num_envs=1, autoreset_mode="Disabled", **kwargs)
    single = gym.make(env_id, **kwargs).unwrapped
    with pytest.raises(RuntimeError, match="before reset"):
        batch.step(action)
    with pytest.raises(RuntimeError, match="before reset"):
        single.step(action[0])
    batch.reset(seed=0)
    single.reset(seed=0)
    terminated = False
    while not terminated:
        terminated = single.step(action[0])[2]
        batch.step(action)
    with pytest.raises(RuntimeError, match="ended"):
        single.step(action[0])
    with pytest.raises(RuntimeError, match="ended"):
        batch.step(action)


@every
@pytest.mark.parametrize(
    "wrong",
    [
        {"difficulty": "impossible"},
        {"split": "validation"},
        {"no_such_argument": 1},
        {"render_mode": "human3d"},
    ],
)
def test_bad_arguments_raise(env_id, kwargs, wrong):
    with pytest.raises((ValueError, TypeError), match=next(iter(wrong))):
        gym.make_vec(env_id, num_envs=2, **{**kwargs, **wrong})


@every
@pytest.mark.parametrize("seed", [-1, 2**63, [1, 2, 3], "a", 1.5, [0.5, 1]])
def test_bad_seeds_raise(env_id, kwargs, seed):
    env = gym.make_vec(env_id, num_envs=2, **kwargs)
    with pytest.raises(ValueError, match="seed"):
        env.reset(seed=seed)


@every
@pytest.mark.parametrize("mask", [np.zeros(2, bool), np.ones(3, bool), np.ones(2), [True, True]])
def test_bad_reset_masks_raise(env_id, kwargs, mask):
    env = gym.make_vec(env_id, num_envs=2, **kwargs)
    env.reset(seed=0)
    with pytest.raises(ValueError, match="reset_mask"):
        env.reset(options={"reset_mask": mask})


@every
def test_splits_and_difficulties_share_spaces_and_differ(env_id, kwargs):
    reference = gym.make(env_id, **kwargs)
    futures = {}
    actions = actions_for(env_id, kwargs, 4, 8)
    for name in ("split", "difficulty"):
        values = {"split": ("train", "test", "shift"), "difficulty": ("easy", "standard", "hard")}
        for value in values[name]:
            env = gym.make_vec(env_id, num_envs=4, **kwargs, **{name: value})
            assert env.single_observation_space == reference.observation_space
            assert env.single_action_space == reference.action_space
            first, _ = env.reset(seed=0)
            trace = [np.concatenate([np.ravel(x) for x in leaves(first)])]
            for action in actions:
                observation = env.step(action)[0]
                assert observation in env.observation_space
                trace += [np.ravel(x) for x in leaves(observation)]
                trace.append(env.unwrapped.ledger.table[2].copy())
            futures[value] = np.concatenate(trace)
    assert not np.array_equal(futures["train"], futures["test"])
    assert not np.array_equal(futures["train"], futures["shift"])
    assert not np.array_equal(futures["easy"], futures["hard"])


@every
def test_gymnasium_records_episodes(env_id, kwargs):
    steps = TASKS[env_id].horizon
    single = gym.wrappers.RecordEpisodeStatistics(
        gym.make(env_id, max_episode_steps=steps, **kwargs)
    )
    batch = gym.wrappers.vector.RecordEpisodeStatistics(
        gym.make_vec(env_id, num_envs=2, max_episode_steps=steps, **kwargs)
    )
    single.reset(seed=0)
    batch.reset(seed=0)
    total, ended = 0.0, False
    for action in actions_for(env_id, kwargs, 2, steps):
        if not ended:
            _, reward, terminated, truncated, info = single.step(action[0])
            total += reward
            ended = terminated or truncated
        *_, batch_info = batch.step(action)
        if "episode" in batch_info and batch_info["_episode"][0] and ended:
            assert batch_info["episode"]["r"][0] == pytest.approx(total, rel=1e-5, abs=1e-6)
    assert info["episode"]["r"] == pytest.approx(total)


@every
def test_rendering(env_id, kwargs):
    rgb = gym.make_vec(env_id, num_envs=2, render_mode="rgb_array", **kwargs)
    rgb.reset(seed=0)
    rgb.step(actions_for(env_id, kwargs, 2, 1)[0])
    for frame in rgb.render():
        assert frame.dtype == np.uint8
        assert frame.ndim == 3
        assert frame.shape[2] == 3
        assert frame.std() > 0
    text = gym.make(env_id, render_mode="ansi", **kwargs)
    text.reset(seed=0)
    text.step(text.action_space.sample())
    assert "=" in text.render()


@every
def test_manual_has_its_sections(env_id, kwargs):
    manual = type(gym.make(env_id, **kwargs).unwrapped).__doc__
    sections = (
        "Description", "Instrument and costs", "Action Space", "Observation Space", "Reward",
        "Success and score", "Starting State", "Episode End", "Arguments", "Baselines",
        "References", "Version History",
    )  # fmt: skip
    positions = [manual.index(f"{section}\n    ---") for section in sections]
    assert positions == sorted(positions)
