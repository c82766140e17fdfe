"""The last check before a tool runs, by the owner's policy and the call's own text.

What a path leads to is checked again, and held, while it is used (`fence`).
"""

from collections.abc import Mapping
from functools import lru_cache
from typing import Any

import jsonschema_rs

from device_node.safety.errors import ToolError
from device_node.safety.policy import LocalPolicy
from schemas.builtin import TOOLS, risk_of
from schemas.devices import Tool
from schemas.errors import ErrorCode
from schemas.paths import Flavour, PathRefused, is_within, resolve


def check(policy: LocalPolicy, tool: str, arguments: Mapping[str, Any], flavour: Flavour) -> None:
    """Let a call pass, or say why not. Paths must be absolute: the controller resolved them.

    Raises:
        ToolError: `unknown_tool`, `permission_denied`, `invalid_arguments`,
            `path_not_allowed` or `app_not_allowed`.
    """
    spec = TOOLS.get(tool)
    if spec is None:
        raise ToolError(ErrorCode.UNKNOWN_TOOL, f"This device has no tool {tool}.")
    if not policy.offers(tool):
        raise ToolError(ErrorCode.PERMISSION_DENIED, f"The owner of this device does not allow {tool}.")
    _check_schema(tool, arguments)
    risk = risk_of(tool, arguments)
    if risk.rank > policy.max_risk.rank:
        raise ToolError(
            ErrorCode.PERMISSION_DENIED,
            f"This call is of {risk} risk, and the owner allows {policy.max_risk} at most.",
        )
    for name in marked(spec, "path"):
        if name in arguments:
            _check_path(policy, arguments[name], flavour)
    for name in marked(spec, "app"):
        if name in arguments and arguments[name] not in policy.allowed_apps:
            raise ToolError(
                ErrorCode.APP_NOT_ALLOWED,
                f"{arguments[name]} is not one of the allowed applications.",
                {"allowed": sorted(policy.allowed_apps)},
            )


def marked(spec: Tool, mark: str) -> list[str]:
    """The parameters of a built-in tool, which are flat, that carry this format."""
    properties = spec.parameters.get("properties")
    if not isinstance(properties, dict):
        return []
    return [
        name
        for name, schema in properties.items()
        if isinstance(schema, dict) and schema.get("format") == mark
    ]


@lru_cache(maxsize=len(TOOLS))
def _validator(tool: str) -> jsonschema_rs.Draft202012Validator:
    # the plain engine runs in linear time, and the mask keeps values out of messages
    return jsonschema_rs.Draft202012Validator(
        TOOLS[tool].parameters, mask="the value", offline=True, pattern_options=jsonschema_rs.RegexOptions()
    )


def _check_schema(tool: str, arguments: Mapping[str, Any]) -> None:
    error = next(_validator(tool).iter_errors(dict(arguments)), None)
    if error is not None:
        where = ".".join(str(part) for part in error.instance_path) or "the arguments"
        raise ToolError(ErrorCode.INVALID_ARGUMENTS, f"{tool}: {where}: {error.message}.")


def _check_path(policy: LocalPolicy, text: str, flavour: Flavour) -> None:
    try:
        path = resolve(text, flavour, home=None, base=None)
    except PathRefused as refused:
        raise ToolError(ErrorCode.PATH_NOT_ALLOWED, refused.reason) from None
    folders = [folder for root in policy.roots for folder in (root.written, root.real)]
    if not any(is_within(path, folder, flavour) for folder in folders):
        raise ToolError(
            ErrorCode.PATH_NOT_ALLOWED,
            f"{path} is outside the allowed folders.",
            {"allowed": list(policy.allowed_paths)},
        )
