"""MatterGym: Gymnasium environments for autonomous materials science.

Importing it registers the environments, so that ``gymnasium.make("mattergym/IsingReversal-v0")``
and ``gymnasium.make_vec(..., num_envs=64)`` work.
"""

from mattergym.envs.registration import register_tasks

__version__ = "0.1.0"

register_tasks()
