"""The settings of an installation: the one list, its sources, and what each program gets of it."""

from orion.config.settings import Settings
from orion.config.sources import ConfigError, Entry, Loaded, Origin, load

__all__ = ["ConfigError", "Entry", "Loaded", "Origin", "Settings", "load"]
