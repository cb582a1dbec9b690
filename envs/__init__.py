"""Gymnasium environments of MatterGym and the table of tasks."""

from __future__ import annotations

from mattergym.envs.registration import TASKS, TaskInfo, Track, register_tasks, track_of

__all__ = ["TASKS", "TaskInfo", "Track", "register_tasks", "track_of"]
