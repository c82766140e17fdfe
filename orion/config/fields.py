"""What settings are made of: how one is entered in the list, and what its value has to look like."""

import re
import socket
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import urlsplit

import platformdirs
from pydantic import AfterValidator, Field

from schemas.ids import RESERVED

SLUG = re.compile(r"[^a-z0-9]+")
PREFIX = r"^[A-Za-z0-9_.-]+(/[A-Za-z0-9_.-]+)*$"

Port = Annotated[int, Field(ge=1, le=65_535)]


def local_device_id(hostname: str | None = None) -> str:
    """This computer's name as a device id."""
    label = (hostname or socket.gethostname()).partition(".")[0].lower()
    slug = SLUG.sub("-", label).strip("-")[:63].strip("-")
    return "computer" if not slug or RESERVED.match(slug) else slug


def default_data_dir() -> Path:
    """The platform's place for a user's data."""
    return platformdirs.user_data_path("orion", appauthor=False)


def absolute(path: Path) -> Path:
    """A folder wherever a program is started; `~` is somebody's own."""
    return path.expanduser().absolute()


def origin(text: str) -> str:
    """One origin as a browser says it: no path, no pattern, no user."""
    parts = urlsplit(text)
    if parts.scheme not in ("http", "https") or not parts.hostname or "*" in text or "@" in text:
        raise ValueError("no origin")
    if parts.path not in ("", "/") or parts.query or parts.fragment:
        raise ValueError("no origin")
    _ = parts.port  # raises what is no port
    return f"{parts.scheme}://{parts.netloc}".lower()


Folder = Annotated[Path, AfterValidator(absolute)]


def setting(default: Any, right: str, description: str, **more: Any) -> Any:
    """One entry of the list. `right` completes the sentence "It must be …"."""
    shown = "masking" not in more
    return Field(
        default=default, description=description, repr=shown, json_schema_extra={"right": right, **more}
    )


def resolved(values: dict[str, Any]) -> dict[str, Any]:
    """The values with those defaults that follow from others."""
    data_dir = absolute(Path(values.get("data_dir") or default_data_dir()))
    return {
        "data_dir": data_dir,
        "database_url": f"sqlite:///{data_dir / 'controller' / 'orion.db'}",
        "backup_dir": data_dir / "backups",
        "device_id": local_device_id(),
        "node_name": socket.gethostname().partition(".")[0][:100] or "computer",
        "node_policy": data_dir / "node" / "policy.toml",
        "allowed_paths": (data_dir / "files",),
    } | values
