"""The three degradations of the paper, and the contract of a new one."""

from restoration.tasks.demosaic import Demosaic
from restoration.tasks.jpeg import JPEG
from restoration.tasks.super_resolution import SuperResolution
from restoration.tasks.task import Task

__all__ = ["JPEG", "Demosaic", "SuperResolution", "Task"]
