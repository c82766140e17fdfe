"""Where values come from: flag, environment, file, default, in this order, and which one won.

A wrong value or an unknown key is said with its source and with what would be right;
nothing is guessed.
"""

import difflib
import os
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any, get_origin
from urllib.parse import urlsplit, urlunsplit

from pydantic import SecretStr, ValidationError
from pydantic.fields import FieldInfo

from orion.config.fields import default_data_dir, resolved
from orion.config.settings import Settings

FILE_VARIABLE = "ORION_CONFIG"
FILE_NAME = "orion.toml"
MASK = "***"
_AMONG_OPTIONS = re.compile(r"([?&]\w*password=)[^&#]*", re.IGNORECASE)  # as PostgreSQL takes one
TRUTH = {
    "1": True,
    "true": True,
    "yes": True,
    "on": True,
    "0": False,
    "false": False,
    "no": False,
    "off": False,
}


class ConfigError(Exception):
    """The settings cannot be used; the message is a sentence with the remedy."""


class Origin(StrEnum):
    """Which source a value came from."""

    FLAG = "flag"
    ENVIRONMENT = "environment"
    FILE = "file"
    DEFAULT = "default"


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of `orion config show`. Secrets are masked."""

    name: str
    value: Any
    origin: Origin
    description: str
    unit: str | None


@dataclass(frozen=True, slots=True)
class Loaded:
    """The settings in force, and where each came from."""

    settings: Settings
    origins: Mapping[str, Origin]
    file: Path | None

    def entries(self) -> list[Entry]:
        """All settings, fit to be shown."""
        return [
            Entry(
                name,
                masked(field, getattr(self.settings, name)),
                self.origins[name],
                field.description or "",
                notes(field).get("unit"),
            )
            for name, field in Settings.model_fields.items()
        ]


def notes(field: FieldInfo) -> dict[str, Any]:
    """What the list says of a setting beyond its type."""
    return field.json_schema_extra if isinstance(field.json_schema_extra, dict) else {}


def variable(name: str) -> str:
    """The environment variable of a setting."""
    return str(notes(Settings.model_fields[name]).get("variable", f"ORION_{name.upper()}"))


def flag(name: str) -> str | None:
    """The flag of a setting; secrets that are nothing else have none."""
    if notes(Settings.model_fields[name]).get("flag", True):
        return f"--{name.replace('_', '-')}"
    return None


def load(
    flags: Mapping[str, Any], environment: Mapping[str, str] | None = None, *, file: str | None = None
) -> Loaded:
    """Read all sources.

    Args:
        flags: values given on the command line, by setting.
        environment: the process's own when None.
        file: the configuration file named by a flag.

    Raises:
        ConfigError: a value is wrong, a key unknown, or the file cannot be read.
    """
    environment = os.environ if environment is None else environment
    given: dict[Origin, dict[str, Any]] = {
        Origin.FLAG: {name: value for name, value in flags.items() if value is not None},
        Origin.ENVIRONMENT: {
            name: _from_text(name, environment[variable(name)])
            for name in Settings.model_fields
            if environment.get(variable(name), "") != ""
        },
    }
    _refuse_secrets(given[Origin.FLAG])
    named = file or environment.get(FILE_VARIABLE) or None
    data_dir = given[Origin.FLAG].get("data_dir") or given[Origin.ENVIRONMENT].get("data_dir")
    path = Path(named or Path(data_dir or default_data_dir()) / FILE_NAME).expanduser().absolute()
    found = _read(path, needed=named is not None)
    if found and named is None and "data_dir" in found:
        raise ConfigError(f"{path}: data_dir cannot stand in a file that is found by it; set ORION_DATA_DIR.")
    given[Origin.FILE] = found or {}
    values: dict[str, Any] = {}
    origins = dict.fromkeys(Settings.model_fields, Origin.DEFAULT)
    for origin in (Origin.FILE, Origin.ENVIRONMENT, Origin.FLAG):
        for name, value in given[origin].items():
            values[name], origins[name] = value, origin
    try:
        settings = Settings.model_validate(resolved(values))
    except ValidationError as error:
        wrong = error.errors(include_url=False, include_context=False)[0]
        name = str(wrong["loc"][0])
        raise ConfigError(_sentence(name, values.get(name), origins[name], path)) from None
    return Loaded(settings, origins, path if found is not None else None)


def masked(field: FieldInfo, value: Any) -> Any:
    """A value as it may be shown."""
    if value is None:
        return None
    kind = notes(field).get("masking")
    if kind == "whole" or isinstance(value, SecretStr):
        return MASK
    if kind == "url":
        return masked_url(str(value))
    if isinstance(value, tuple):
        return [str(each) for each in value]
    return str(value) if isinstance(value, Path) else value


def masked_url(url: str) -> str:
    """A URL without the passwords in it."""
    url = _AMONG_OPTIONS.sub(rf"\1{MASK}", url)
    parts = urlsplit(url)
    credentials, at, place = parts.netloc.rpartition("@")
    if not at:
        return url
    user, colon, _ = credentials.partition(":")
    return urlunsplit(parts._replace(netloc=f"{user}{colon and ':' + MASK}@{place}"))


def _refuse_secrets(flags: Mapping[str, Any]) -> None:
    for name, value in flags.items():
        if notes(Settings.model_fields[name]).get("masking") == "url" and masked_url(str(value)) != value:
            raise ConfigError(
                f"{flag(name)} cannot hold a password: everybody on this computer can read a command line. "
                f"Set {variable(name)}, or {name} in {FILE_NAME}."
            )


def _from_text(name: str, text: str) -> Any:
    field = Settings.model_fields[name]
    if get_origin(field.annotation) is tuple:
        divider = str(notes(field).get("divider", os.pathsep))
        return [each.strip() for each in text.split(divider) if each.strip()]
    if field.annotation is bool:
        return TRUTH.get(text.lower(), text)
    return text


def _read(path: Path, *, needed: bool) -> dict[str, Any] | None:
    try:
        with path.open("rb") as file:
            found = tomllib.load(file)
    except FileNotFoundError:
        if needed:
            raise ConfigError(f"There is no configuration file {path} ({FILE_VARIABLE}).") from None
        return None
    except (OSError, tomllib.TOMLDecodeError) as error:
        raise ConfigError(f"{path} cannot be read: {error}") from error
    for key in found:
        if key not in Settings.model_fields:
            near = difflib.get_close_matches(key, Settings.model_fields, n=1, cutoff=0.5)
            hint = f" Did you mean {near[0]!r}?" if near else " See `orion config show`."
            raise ConfigError(f"{path}: there is no setting {key!r}.{hint}")
    return found


def _sentence(name: str, value: Any, origin: Origin, file: Path) -> str:
    field = Settings.model_fields[name]
    source = {
        Origin.FLAG: f"the flag {flag(name)}",
        Origin.ENVIRONMENT: f"the environment ({variable(name)})",
        Origin.FILE: f"the file {file}",
        Origin.DEFAULT: "its default",
    }[origin]
    shown = MASK if notes(field).get("masking") else repr(masked(field, value))
    return f"{name} from {source} cannot be {shown}. It must be {notes(field)['right']}."
