"""The tools a model may see this turn, and what its calls mean."""

from controller.assistant.toolbox.box import (
    MAX_DEVICES,
    Asked,
    Offer,
    Problem,
    Proposed,
    Toolbox,
)
from controller.assistant.toolbox.shelf import read_only

__all__ = ["MAX_DEVICES", "Asked", "Offer", "Problem", "Proposed", "Toolbox", "read_only"]
