"""What the devices that somebody sees offer, taken together: their tools, and the groups they are in."""

from pydantic import BaseModel

from controller.api.shapes.shown import Items, example
from schemas.devices import Risk


class Tool(BaseModel):
    """A tool by its name, as the riskiest device has it. `adopted`: on how many it may be used."""

    name: str
    description: str
    risk: Risk
    read_only: bool
    devices: int
    adopted: int


class Tools(Items[Tool]):
    """The tools that the devices offer which one sees, by name."""

    model_config = example(
        {
            "items": [
                {
                    "name": "list_directory",
                    "description": "List what a folder holds.",
                    "risk": "low",
                    "read_only": True,
                    "devices": 12,
                    "adopted": 11,
                }
            ]
        }
    )


class Group(BaseModel):
    """A group, and how many of its devices one sees."""

    name: str
    devices: int


class Groups(Items[Group]):
    """The groups of the devices that one sees, by name."""

    model_config = example({"items": [{"name": "workshop", "devices": 3}]})
