"""How a person watches the wire with `mosquitto_sub`, without a password on its command line.

It reads the options in a file `mosquitto_sub` of the folder that `XDG_CONFIG_HOME` names; ours is readable
by its owner only, and gone when the debugging user is.
"""

import shlex
import shutil
from pathlib import Path

from broker import files
from orion.client import Json
from orion.config.addresses import token_path
from orion.config.settings import Settings

PROGRAM = "mosquitto_sub"


def prepare(settings: Settings, made: Json) -> str:
    """Write the options of a debugging user; the command that shows every message, ready to be pasted."""
    folder = _folder(settings, made["username"])
    files.make_private_directory(folder)
    # without an id of its own mosquitto_sub is not let in
    options = {"-h": made["host"], "-p": made["port"], "-u": made["username"], "-P": made["password"]}
    files.replace(folder / PROGRAM, "".join(f"{name} {value}\n" for name, value in options.items()))
    return f"XDG_CONFIG_HOME={shlex.quote(str(folder))} {PROGRAM} -t {shlex.quote(made['topic'])} -v"


def clear(settings: Settings, username: str) -> None:
    """Take the options of a debugging user away."""
    shutil.rmtree(_folder(settings, username), ignore_errors=True)


def _folder(settings: Settings, username: str) -> Path:
    # beside the administrator's token, where no tool of a device may look
    return token_path(settings).parent / "watching" / username
