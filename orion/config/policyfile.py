"""The policy file of this computer's node: what may happen here, whatever arrives over the network."""

import json
import logging
from pathlib import Path

from broker import files
from orion.config.sources import Loaded, Origin

logger = logging.getLogger(__name__)


def ensure(loaded: Loaded) -> None:
    """Write it with the folders that are allowed, and make those, unless there is one: that one counts."""
    settings, path = loaded.settings, loaded.settings.node_policy
    if path.exists():
        given = loaded.origins["allowed_paths"]
        if given is not Origin.DEFAULT and not _says(path, settings.allowed_paths):
            logger.warning("allowed_paths from the %s is not used: %s says what is allowed", given, path)
        return
    for folder in settings.allowed_paths:
        folder.mkdir(parents=True, exist_ok=True)
    files.make_private_directory(path.parent)
    files.replace(path, _policy(settings.allowed_paths))


def _policy(folders: tuple[Path, ...]) -> str:
    # A JSON string is a TOML string as well, whatever a folder is called.
    listed = "".join(f"  {_quoted(folder)},\n" for folder in folders)
    return (
        "# What may happen on this computer. Nothing that arrives over the network can loosen it.\n"
        f"allowed_paths = [\n{listed}]\n"
        "# Names of applications that may be opened and closed.\n"
        "allowed_apps = []\n"
        "allow_run_command = false\n"
        "allow_power = false\n"
    )


def _says(policy: Path, folders: tuple[Path, ...]) -> bool:
    text = policy.read_text(encoding="utf-8")
    return all(_quoted(folder) in text or f"'{folder}'" in text for folder in folders)


def _quoted(folder: Path) -> str:
    return json.dumps(str(folder), ensure_ascii=False)
