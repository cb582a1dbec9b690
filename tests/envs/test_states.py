"""States that come from elsewhere: what is not a state of such a bench is refused in words."""

from __future__ import annotations

import copy

import gymnasium as gym
import numpy as np
import pytest

import mattergym  # noqa: F401
from mattergym.envs import TASKS

CASES = [
    pytest.param(task.id, track.kwargs, id=f"{task.name}-{track.name}")
    for task in TASKS.values()
    for track in task.tracks
]
every = pytest.mark.parametrize(("env_id", "kwargs"), CASES)


def wrong_states(state):
    """Yield what is wrong, and the state with it."""
    for k, name in enumerate(state["state"]._fields):
        array = state["state"][k]

        def put(value, k=k):
            twin = copy.deepcopy(state)
            fields = list(twin["state"])
            fields[k] = value
            return twin | {"state": type(twin["state"])(*fields)}

        yield f"state.{name}", put(array[:-1])
        yield f"state.{name}", put(array.astype(np.complex128))
        yield f"state.{name}", put(array.tolist())
        if array.dtype.kind == "f" and array.size:
            holed = array.copy()
            holed.flat[-1] = np.nan
            yield f"state.{name}", put(holed)
    yield "streams", state | {"streams": np.zeros_like(state["streams"])}
    yield "streams", state | {"streams": state["streams"][:1]}
    yield "seeds", state | {"seeds": state["seeds"].astype(np.float64)}
    yield "negative", state | {"episodes": state["episodes"] - 10}
    yield "state is", state | {"made_by": "somebody"}
    yield "state is not", {name: value for name, value in state.items() if name != "clock"}
    yield "state is not", None


@every
def test_a_state_of_other_shapes_or_types_is_refused_and_nothing_changes(env_id, kwargs):
    env = gym.make_vec(env_id, num_envs=2, **kwargs).unwrapped
    env.reset(seed=0)
    before = env.get_state()
    for words, wrong in wrong_states(copy.deepcopy(before)):
        with pytest.raises(ValueError, match=words):
            env.set_state(wrong)
    np.testing.assert_equal(env.get_state(), before)


@every
@pytest.mark.parametrize("other", [{"difficulty": "hard"}, {"split": "shift"}])
def test_a_state_of_another_setting_is_refused(env_id, kwargs, other):
    env = gym.make_vec(env_id, num_envs=2, **kwargs).unwrapped
    there = gym.make_vec(env_id, num_envs=2, **kwargs, **other).unwrapped
    env.reset(seed=0)
    there.reset(seed=0)
    before = env.get_state()
    with pytest.raises(ValueError, match=next(iter(other.values()))):
        env.set_state(there.get_state())
    with pytest.raises(ValueError, match=r"needed"):
        env.set_state(gym.make_vec(env_id, num_envs=3, **kwargs).unwrapped.get_state())
    np.testing.assert_equal(env.get_state(), before)


@every
def test_lanes_answer_as_the_environments_of_a_sync_vector_env(env_id, kwargs):
    native = gym.make_vec(env_id, num_envs=3, **kwargs)
    sync = gym.vector.SyncVectorEnv([lambda: gym.make(env_id, **kwargs)] * 3)
    native.reset(seed=4)
    sync.reset(seed=4)
    native.action_space.seed(0)
    action = native.action_space.sample()
    native.step(action)
    sync.step(action)
    assert native.call("program") == tuple(sync.call("program"))
    assert native.call("program", 0) == native.get_attr("program")
    for name in ("clock", "standing", "state", "streams"):
        np.testing.assert_equal(native.get_attr(name), tuple(sync.get_attr(name)))
    native.call("fresh_noise", 5)
    sync.call("fresh_noise", 5)
    a, b = native.step(action), sync.step(action)
    np.testing.assert_equal(a[1], b[1])
    native.set_attr("operator", ["Ada", "Bo", "Cy"])
    assert native.get_attr("operator") == ("Ada", "Bo", "Cy")
    for name in ("split", "difficulty", "task", "clock", "num_envs"):
        with pytest.raises(AttributeError, match=name):
            native.set_attr(name, 1)
    with pytest.raises(AttributeError, match="split"):
        native.unwrapped.split = "test"
    with pytest.raises(AttributeError, match="split"):
        native.unwrapped.task.split = "test"
    with pytest.raises(ValueError, match="2 values for 3 lanes"):
        native.set_attr("operator", ["Ada", "Bo"])


@every
def test_a_single_environment_shows_nothing_of_a_batch(env_id, kwargs):
    env = gym.make(env_id, **kwargs).unwrapped
    for name in ("num_envs", "single_action_space", "single_observation_space", "autoreset_mode"):
        assert not hasattr(env, name)


@every
@pytest.mark.parametrize("integer", [np.int8, np.uint16, np.int64, np.uint64])
def test_numpy_integers_are_seeds(env_id, kwargs, integer):
    for env in (gym.make(env_id, **kwargs), gym.make_vec(env_id, num_envs=2, **kwargs)):
        _, info = env.reset(seed=integer(3))
        assert np.ravel(info["seed"])[0] == 3


@every
@pytest.mark.parametrize("seed", [-1, 2**63, True, np.bool_(True), [True], 1.5, "a", {3}])
def test_other_seeds_are_refused_in_words_by_both_views(env_id, kwargs, seed):
    for env in (gym.make(env_id, **kwargs), gym.make_vec(env_id, num_envs=1, **kwargs)):
        env.reset(seed=0)
        before = env.unwrapped.get_state()
        with pytest.raises(ValueError, match="seed"):
            env.reset(seed=seed)
        np.testing.assert_equal(env.unwrapped.get_state(), before)


@every
@pytest.mark.parametrize(
    "options", [1, {"reset_mask"}, {"temperature": 3.0}, {"reset_mask": [True], "x": 1}, "mask"]
)
def test_other_options_are_refused_in_words_by_both_views(env_id, kwargs, options):
    for env in (gym.make(env_id, **kwargs), gym.make_vec(env_id, num_envs=1, **kwargs)):
        env.reset(seed=0)
        before = env.unwrapped.get_state()
        with pytest.raises(ValueError, match="options"):
            env.reset(options=options, seed=8)
        np.testing.assert_equal(env.unwrapped.get_state(), before)


@every
def test_actions_of_any_floating_or_whole_type_act_alike(env_id, kwargs):
    env = gym.make_vec(env_id, num_envs=2, **kwargs)
    box = isinstance(env.single_action_space, gym.spaces.Box)
    action = 0 * env.action_space.sample() + (0.25 if box else 1)
    types = ("<f4", ">f4", "<f8", ">f8", "f2", np.longdouble) if box else ("<i8", ">i8", "u1", "i2")
    results = []
    for kind in types:
        env.reset(seed=0)
        results.append(env.step(np.asfortranarray(action.astype(kind)))[1])
    assert all(np.array_equal(results[0], result) for result in results)
    for wrong in ([[0.1], [0.1, 0.2]], np.ma.masked_array(action, mask=True), None, "up", [{}]):
        with pytest.raises(ValueError, match="action"):
            env.step(wrong)


@every
def test_lanes_and_noise_out_of_range_are_refused_in_words(env_id, kwargs):
    env = gym.make_vec(env_id, num_envs=2, **kwargs).unwrapped
    env.reset(seed=0)
    before = env.get_state()
    for lane in (99, -1, 1.5, "0", True):
        with pytest.raises(ValueError, match="lane"):
            env.program(lane)
    for seed in (1.5, -1, True, "a", 2**70):
        with pytest.raises(ValueError, match="seed"):
            env.fresh_noise(seed)
    np.testing.assert_equal(env.get_state(), before)


@every
def test_enums_of_gymnasium_may_stand_where_strings_are_meant(env_id, kwargs):
    mode = gym.vector.AutoresetMode.SAME_STEP
    env = gym.make_vec(env_id, num_envs=2, autoreset_mode=mode, **kwargs)
    assert env.metadata["autoreset_mode"] == mode
    spec = gym.envs.registration.EnvSpec.from_json(env.spec.to_json())
    assert gym.make_vec(spec, num_envs=2).metadata["autoreset_mode"] == mode


@every
def test_masks_of_infos_are_separate_arrays(env_id, kwargs):
    env = gym.make_vec(env_id, num_envs=2, **kwargs)
    _, info = env.reset(seed=0)
    info["_score"][0] = False
    assert info["_dose"].all()
    *_, info = env.step(0 * env.action_space.sample())
    info["_score"][0] = False
    assert info["_dose"].all()
    *_, info = env.step(0 * env.action_space.sample())
    assert info["_score"].all()
