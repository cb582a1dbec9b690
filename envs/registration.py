"""The table of tasks: what is registered with Gymnasium, and what tools print and sweep over.

Entry points are strings, so that importing the package loads no task.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import gymnasium


@dataclass(frozen=True)
class Track:
    """A variant of a task that is reported by itself.

    Attributes
    ----------
    name : str
    kwargs : dict
        Arguments of ``gym.make`` that select it.
    agents : tuple of str
        Agents that the benchmark suites run on it.
    note : str
        One sentence on what sets it apart.
    """

    name: str
    kwargs: dict[str, Any]
    agents: tuple[str, ...]
    note: str = ""


@dataclass(frozen=True)
class TaskInfo:
    """What the tools know of a task without importing it.

    Attributes
    ----------
    horizon : int
        Steps of a typical episode.
    tracks : tuple of Track
    episodes : int
        Evaluation episodes of the full benchmark suite.
    """

    id: str
    title: str
    objective: str
    domain: str
    entry_point: str
    vector_entry_point: str
    horizon: int
    tracks: tuple[Track, ...] = field(default_factory=tuple)
    episodes: int = 1000


SURVEYORS = (
    *("random", "raster", "survey-revisit", "scripted", "adaptive", "bayes"),
    *("density", "expert"),
)

TASKS: dict[str, TaskInfo] = {
    task.id: task
    for task in (
        TaskInfo(
            id="mattergym/IsingReversal-v0",
            title="Reverse a magnet with as little entropy production as possible",
            objective="make",
            domain="synthesis",
            entry_point="mattergym.envs.synthesis.ising_reversal:IsingReversalEnv",
            vector_entry_point="mattergym.envs.synthesis.ising_reversal:IsingReversalVectorEnv",
            horizon=100,
            tracks=(
                Track(
                    "full",
                    {"observation": "full"},
                    ("random", "scripted", "expert", "ppo", "sac"),
                    "Feedback on the measured magnetization: a Maxwell demon, for which the "
                    "second law with information allows less entropy than any open-loop protocol.",
                ),
                Track(
                    "clock",
                    {"observation": "clock"},
                    ("random", "scripted", "expert", "cem", "ppo"),
                    "The agent sees time, T and h only: an open-loop protocol, comparable with "
                    "the literature.",
                ),
            ),
        ),
        TaskInfo(
            id="mattergym/IsingAnneal-v0",
            title="Anneal a spin glass of unknown energy scale into its ground state",
            objective="tune",
            domain="synthesis",
            entry_point="mattergym.envs.synthesis.ising_anneal:IsingAnnealEnv",
            vector_entry_point="mattergym.envs.synthesis.ising_anneal:IsingAnnealVectorEnv",
            horizon=50,
            tracks=(Track("standard", {}, ("random", "scripted", "servo", "expert", "ppo")),),
        ),
        TaskInfo(
            id="mattergym/IsingPhaseMap-v0",
            title="Map the phase boundary of a composition-spread library on a budget",
            objective="measure",
            domain="synthesis",
            entry_point="mattergym.envs.synthesis.ising_phase_map:IsingPhaseMapEnv",
            vector_entry_point="mattergym.envs.synthesis.ising_phase_map:IsingPhaseMapVectorEnv",
            horizon=16,
            tracks=(Track("standard", {}, ("random", "raster", "scripted", "expert", "ppo")),),
            episodes=500,
        ),
        TaskInfo(
            id="mattergym/STEMCorrector-v0",
            title="Correct the aberrations of an electron microscope",
            objective="tune",
            domain="stem",
            entry_point="mattergym.envs.stem.corrector:STEMCorrectorEnv",
            vector_entry_point="mattergym.envs.stem.corrector:STEMCorrectorVectorEnv",
            horizon=40,
            tracks=(
                Track(
                    "features",
                    {"observation": "features"},
                    ("random", "scripted", "gain-0.4", "kalman", "expert", "ppo", "rppo"),
                    "Noisy measured aberrations, a tableau of 90 s a step.",
                ),
                Track(
                    "image",
                    {"observation": "image"},
                    ("random", "scripted", "gain-0.4", "kalman", "expert"),
                    "A Ronchigram of amorphous carbon at a known defocus, 3 s a step; all but "
                    "expert read it by a shipped linear analyst.",
                ),
            ),
        ),
        TaskInfo(
            id="mattergym/STEMSurvey-v0",
            title="Find the point defects of a layer on a dose",
            objective="discover",
            domain="stem",
            entry_point="mattergym.envs.stem.survey:STEMSurveyEnv",
            vector_entry_point="mattergym.envs.stem.survey:STEMSurveyVectorEnv",
            horizon=80,
            tracks=(
                Track(
                    "clusters",
                    {"observation": "features", "defects": "clusters"},
                    (*SURVEYORS, "ppo"),
                    "Defects in clusters and along a boundary, seen as maps.",
                ),
                Track(
                    "uniform",
                    {"observation": "features", "defects": "uniform"},
                    SURVEYORS,
                    "The control: defects everywhere alike, so that navigation cannot matter.",
                ),
                Track(
                    "image",
                    {"observation": "image", "defects": "clusters"},
                    ("random", "raster", "scripted", "bayes", "expert"),
                    "The maps as pictures, and the last HAADF frame.",
                ),
            ),
        ),
        TaskInfo(
            id="mattergym/STEMAtomWalk-v0",
            title="Walk a silicon atom through graphene with the beam",
            objective="make",
            domain="stem",
            entry_point="mattergym.envs.stem.atom_walk:STEMAtomWalkEnv",
            vector_entry_point="mattergym.envs.stem.atom_walk:STEMAtomWalkVectorEnv",
            horizon=50,
            tracks=(
                Track(
                    "features",
                    {"observation": "features"},
                    ("random", "scripted", "particle-filter", "expert", "ppo"),
                    "The goal, the sublattice and the last eight steps as numbers.",
                ),
                Track(
                    "image",
                    {"observation": "image"},
                    ("random", "scripted", "particle-filter", "expert"),
                    "A HAADF frame about the silicon instead of its sublattice; agents read it.",
                ),
            ),
        ),
        TaskInfo(
            id="mattergym/SPMFeedback-v0",
            title="Tune the feedback loop of a scanning probe on an unknown plant",
            objective="tune",
            domain="spm",
            entry_point="mattergym.envs.spm.feedback:SPMFeedbackEnv",
            vector_entry_point="mattergym.envs.spm.feedback:SPMFeedbackVectorEnv",
            horizon=60,
            tracks=(Track("standard", {}, ("random", "fixed", "scripted", "expert", "ppo")),),
        ),
        TaskInfo(
            id="mattergym/SPMDiscovery-v0",
            title="Find the widest hysteresis loop on a ferroelectric film",
            objective="discover",
            domain="spm",
            entry_point="mattergym.envs.spm.discovery:SPMDiscoveryEnv",
            vector_entry_point="mattergym.envs.spm.discovery:SPMDiscoveryVectorEnv",
            horizon=50,
            tracks=(
                Track(
                    "features",
                    {"observation": "features"},
                    (
                        *("random", "grid", "walls-first", "scripted"),
                        *("gp-xy", "bo", "gp-walls", "expert"),
                    ),
                    "Maps of 24 x 24 places.",
                ),
                Track(
                    "image",
                    {"observation": "image"},
                    ("random", "scripted", "bo", "expert"),
                    "The PFM image and maps of the loops.",
                ),
            ),
            episodes=200,
        ),
        TaskInfo(
            id="mattergym/SPMDomainWriting-v0",
            title="Write a pattern of ferroelectric domains with the tip",
            objective="make",
            domain="spm",
            entry_point="mattergym.envs.spm.domain_writing:SPMDomainWritingEnv",
            vector_entry_point="mattergym.envs.spm.domain_writing:SPMDomainWritingVectorEnv",
            horizon=50,
            tracks=(
                Track(
                    "features",
                    {"observation": "features"},
                    ("random", "nominal", "scripted", "expert", "ppo"),
                    "What is missing and what is too much, by a fixed analyst.",
                ),
                Track(
                    "image",
                    {"observation": "image"},
                    ("random", "nominal", "scripted", "expert", "ppo"),
                    "The PFM image and the pattern; all but ppo read them by the same analyst.",
                ),
            ),
            episodes=200,
        ),
    )
}


def track_of(env_id: str, kwargs: dict[str, Any]) -> Track:
    """Return the track of a task that arguments of ``gym.make`` select; the first by default.

    An argument that is not given is that of the first track.
    """
    tracks = TASKS[env_id].tracks
    kwargs = {**tracks[0].kwargs, **kwargs}
    for track in tracks:
        if all(kwargs.get(name) == value for name, value in track.kwargs.items()):
            return track
    return tracks[0]


def register_tasks() -> None:
    """Register every task of the table with Gymnasium; registering twice does nothing."""
    for task in TASKS.values():
        if task.id not in gymnasium.registry:
            gymnasium.register(
                id=task.id,
                entry_point=task.entry_point,
                vector_entry_point=task.vector_entry_point,
            )
