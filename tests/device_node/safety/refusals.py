"""What the device's own check says of a call."""

from typing import Any

from device_node.safety.check import check
from device_node.safety.errors import ToolError
from device_node.safety.policy import HOST_FLAVOUR, LocalPolicy
from schemas.paths import Flavour


def refusal(
    policy: LocalPolicy, tool: str, arguments: dict[str, Any], flavour: Flavour = HOST_FLAVOUR
) -> str:
    """The code that the check refuses with, empty when the call passes."""
    try:
        check(policy, tool, arguments, flavour)
    except ToolError as error:
        return error.code
    return ""
