"""What the device's owner allows, read from a file on the device and from nowhere else.

Nothing is allowed until it is written there. An unknown key is an error, so that a
misspelt rule is noticed rather than ignored.
"""

import logging
import os
import stat
import sys
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Self

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PrivateAttr,
    ValidationError,
    ValidationInfo,
    field_validator,
)

from schemas.builtin import TOOLS
from schemas.devices import Risk
from schemas.paths import Flavour, PathRefused, resolve

logger = logging.getLogger(__name__)

HOST_FLAVOUR = Flavour.WINDOWS if sys.platform == "win32" else Flavour.POSIX


class PolicyError(ValueError):
    """The policy file cannot be used; the message names the file and the key."""


@dataclass(frozen=True, slots=True)
class Root:
    """One allowed folder: as it was written, and where that leads."""

    written: str
    real: str


def _as_table(value: object) -> object:
    """A plain list of applications, and a program without arguments, are short forms."""
    if isinstance(value, list):
        value = {name: name for name in value}
    if isinstance(value, dict):
        return {name: [start] if isinstance(start, str) else start for name, start in value.items()}
    return value


Program = Annotated[tuple[Annotated[str, Field(min_length=1)], ...], Field(min_length=1)]
AppName = Annotated[str, Field(min_length=1, max_length=100)]


class LocalPolicy(BaseModel):
    """The owner's rules. `allowed_tools` of `None` narrows nothing; the rest denies by default."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    allowed_paths: tuple[str, ...] = ()
    allowed_apps: Annotated[dict[AppName, Program], BeforeValidator(_as_table)] = Field(default_factory=dict)
    allowed_tools: frozenset[str] | None = None
    denied_tools: frozenset[str] = frozenset()
    allow_run_command: bool = False
    allow_power: bool = False
    max_risk: Risk = Risk.CRITICAL

    @field_validator("allowed_paths")
    @classmethod
    def _absolute(cls, paths: tuple[str, ...], info: ValidationInfo) -> tuple[str, ...]:
        flavour = (info.context or {}).get("flavour", HOST_FLAVOUR)
        home = (info.context or {}).get("home", str(Path.home()))
        try:
            return tuple(resolve(path, flavour, home=home, base=None) for path in paths)
        except PathRefused as refused:
            raise ValueError(refused.reason) from None

    @field_validator("allowed_tools", "denied_tools")
    @classmethod
    def _known(cls, names: frozenset[str] | None) -> frozenset[str] | None:
        if unknown := sorted((names or frozenset()) - set(TOOLS)):
            raise ValueError(f"there is no tool {unknown[0]!r}")
        return names

    _roots: tuple[Root, ...] = PrivateAttr(default=())

    def model_post_init(self, _context: Any, /) -> None:
        # looked up once, at load: what is swapped for a link later changes no rule
        self._roots = tuple(Root(path, os.path.realpath(path)) for path in self.allowed_paths)

    @property
    def roots(self) -> tuple[Root, ...]:
        """The allowed folders, and where they led when the policy was read."""
        return self._roots

    def offers(self, tool: str) -> bool:
        """Whether the owner lets this tool be used at all."""
        if tool in self.denied_tools or (self.allowed_tools is not None and tool not in self.allowed_tools):
            return False
        if tool == "run_command":
            return self.allow_run_command
        if tool in ("restart_device", "shutdown_device"):
            return self.allow_power
        return TOOLS[tool].risk.rank <= self.max_risk.rank if tool in TOOLS else False

    @classmethod
    def load(cls, path: Path) -> Self:
        """Read the policy file. Without one, nothing is allowed.

        Raises:
            PolicyError: it cannot be read, is no TOML, holds an unknown key or a
                wrong value, or other users of the device may write it.
        """
        try:
            with path.open("rb") as file:
                if sys.platform != "win32" and os.fstat(file.fileno()).st_mode & stat.S_IWOTH:
                    raise PolicyError(f"{path}: every user of this device may write it; run chmod o-w on it")
                rules = tomllib.load(file)
        except FileNotFoundError:
            logger.warning("There is no policy file at %s: nothing is allowed", path)
            return cls()
        except (OSError, tomllib.TOMLDecodeError) as error:
            raise PolicyError(f"{path}: {error}") from error
        try:
            return cls.model_validate(rules)
        except ValidationError as error:
            first = error.errors(include_url=False, include_input=False, include_context=False)[0]
            key = ".".join(str(part) for part in first["loc"])
            raise PolicyError(f"{path}: {key}: {first['msg']}") from None
