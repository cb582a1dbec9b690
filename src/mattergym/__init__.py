"""MatterGym: Gymnasium environments for autonomous materials science.

Importing it registers the environments, so that ``gymnasium.make("mattergym/IsingReversal-v0")``
and ``gymnasium.make_vec(..., num_envs=64)`` work. A task of one's own joins them by
:func:`register`.
"""

from mattergym.envs.registration import Card, Track, register, register_tasks

__all__ = ["Card", "Track", "register"]

__version__ = "0.1.0"

register_tasks()
