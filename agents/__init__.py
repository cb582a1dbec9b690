"""Agents: random, scripted, expert, planners and deep RL behind one ``predict``."""

from __future__ import annotations

import difflib
from importlib import import_module
from typing import Any

from mattergym.agents.base import Agent

__all__ = ["Agent", "agent_names", "make_agent"]

# (task or "*", agent) -> class, as strings: torch is imported only where an agent needs it.
AGENTS: dict[tuple[str, str], str] = {
    ("*", "random"): "mattergym.agents.base:RandomAgent",
    ("*", "ppo"): "mattergym.agents.sb3:PPOAgent",
    ("*", "sac"): "mattergym.agents.sb3:SACAgent",
    ("*", "rppo"): "mattergym.agents.sb3:RecurrentPPOAgent",
    ("mattergym/IsingReversal-v0", "scripted"): "mattergym.agents.reversal:ScriptedReversal",
    ("mattergym/IsingReversal-v0", "cem"): "mattergym.agents.reversal:CrossEntropyReversal",
    ("mattergym/IsingReversal-v0", "expert"): "mattergym.agents.reversal:ExpertReversal",
    ("mattergym/IsingAnneal-v0", "scripted"): "mattergym.agents.anneal:GeometricAnneal",
    ("mattergym/IsingAnneal-v0", "servo"): "mattergym.agents.anneal:AcceptanceServo",
    ("mattergym/IsingAnneal-v0", "expert"): "mattergym.agents.anneal:ExpertAnneal",
    ("mattergym/IsingPhaseMap-v0", "raster"): "mattergym.agents.phase_map:RasterPhaseMap",
    ("mattergym/IsingPhaseMap-v0", "scripted"): "mattergym.agents.phase_map:BisectionPhaseMap",
    ("mattergym/IsingPhaseMap-v0", "expert"): "mattergym.agents.phase_map:ExpertPhaseMap",
    ("mattergym/STEMCorrector-v0", "scripted"): "mattergym.agents.corrector:LowOrdersFirst",
    ("mattergym/STEMCorrector-v0", "gain-0.4"): "mattergym.agents.corrector:GainCorrector",
    ("mattergym/STEMCorrector-v0", "kalman"): "mattergym.agents.corrector:KalmanCorrector",
    ("mattergym/STEMCorrector-v0", "expert"): "mattergym.agents.corrector:ExpertCorrector",
    ("mattergym/STEMSurvey-v0", "raster"): "mattergym.agents.survey:RasterSurvey",
    ("mattergym/STEMSurvey-v0", "survey-revisit"): "mattergym.agents.survey:SurveyThenRevisit",
    ("mattergym/STEMSurvey-v0", "scripted"): "mattergym.agents.survey:HalfSurveyThenRevisit",
    ("mattergym/STEMSurvey-v0", "adaptive"): "mattergym.agents.survey:AdaptiveClusterSurvey",
    ("mattergym/STEMSurvey-v0", "bayes"): "mattergym.agents.survey:BayesSurvey",
    ("mattergym/STEMSurvey-v0", "density"): "mattergym.agents.survey:DensitySurvey",
    ("mattergym/STEMSurvey-v0", "expert"): "mattergym.agents.survey:ClairvoyantSurvey",
    ("mattergym/STEMAtomWalk-v0", "scripted"): "mattergym.agents.atom_walk:GreedyWalk",
    ("mattergym/STEMAtomWalk-v0", "particle-filter"): (
        "mattergym.agents.atom_walk:ParticleFilterWalk"
    ),
    ("mattergym/STEMAtomWalk-v0", "expert"): "mattergym.agents.atom_walk:ExpertWalk",
    ("mattergym/SPMFeedback-v0", "fixed"): "mattergym.agents.feedback:FixedFeedback",
    ("mattergym/SPMFeedback-v0", "scripted"): "mattergym.agents.feedback:ScriptedFeedback",
    ("mattergym/SPMFeedback-v0", "expert"): "mattergym.agents.feedback:ExpertFeedback",
    ("mattergym/SPMDiscovery-v0", "grid"): "mattergym.agents.discovery:GridDiscovery",
    ("mattergym/SPMDiscovery-v0", "walls-first"): "mattergym.agents.discovery:WallsFirstDiscovery",
    ("mattergym/SPMDiscovery-v0", "scripted"): "mattergym.agents.discovery:OperatorDiscovery",
    ("mattergym/SPMDiscovery-v0", "gp-xy"): "mattergym.agents.discovery:PositionProcess",
    ("mattergym/SPMDiscovery-v0", "bo"): "mattergym.agents.discovery:PatchProcess",
    ("mattergym/SPMDiscovery-v0", "gp-walls"): "mattergym.agents.discovery:WallProcess",
    ("mattergym/SPMDiscovery-v0", "expert"): "mattergym.agents.discovery:ExpertDiscovery",
    ("mattergym/SPMDomainWriting-v0", "nominal"): "mattergym.agents.domain_writing:NominalWriter",
    ("mattergym/SPMDomainWriting-v0", "scripted"): "mattergym.agents.domain_writing:OperatorWriter",
    ("mattergym/SPMDomainWriting-v0", "expert"): "mattergym.agents.domain_writing:GreedyWriter",
}


def agent_names(env_id: str) -> tuple[str, ...]:
    """Names of the agents that a task has."""
    return tuple(sorted({name for task, name in AGENTS if task in ("*", env_id)}))


def make_agent(name: str, env: Any, **kwargs: Any) -> Agent:
    """Make an agent by name for a native batch of a task.

    Parameters
    ----------
    name : str
        One of :func:`agent_names`.
    env : gymnasium.vector.VectorEnv
        ``gymnasium.make_vec(id, num_envs=...)``.
    **kwargs
        Hyper-parameters that override the table's.

    Raises
    ------
    ValueError
        If the task has no such agent, and the sentence names the nearest, or if the environment
        is not a native batch made by ``gymnasium.make_vec``.
    """
    if getattr(env, "spec", None) is None or not hasattr(env, "single_action_space"):
        raise ValueError(f"env = {env!r} is not a batch made by gymnasium.make_vec")
    env_id = env.spec.id
    path = AGENTS.get((env_id, name)) or AGENTS.get(("*", name))
    if path is None:
        names = agent_names(env_id)
        near = difflib.get_close_matches(name, names) or names
        raise ValueError(f"{env_id} has no agent {name!r}; did you mean {', '.join(near)}?")
    module, attribute = path.split(":")
    agent: Agent = getattr(import_module(module), attribute)(env, **kwargs)
    return agent
