"""A node with one allowed folder, and a way to call its tools as the runner does."""

import threading
import uuid
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from device_node.safety.check import check
from device_node.safety.policy import HOST_FLAVOUR, LocalPolicy
from device_node.tools import TOOLS
from device_node.tools.tool import Call, NodeContext, Result, ToolError
from schemas.errors import ErrorCode

SECRET = "outside and secret"


@dataclass
class Control:
    """The program around the tools, which writes down what it is asked."""

    can_update: bool = False
    asked: list[str] = field(default_factory=list)

    def restart(self) -> None:
        self.asked.append("restart")

    def reload(self) -> Result:
        self.asked.append("reload")
        return {"allowed_paths": []}

    def update(self) -> Result:
        self.asked.append("update")
        return {"version": "2"}


class Desk:
    """`folder` is allowed; `outside` stands beside it with a secret in it."""

    def __init__(self, top: Path, **rules: Any) -> None:
        self.folder = top / "allowed"
        self.outside = top / "outside"
        self.folder.mkdir()
        self.outside.mkdir()
        (self.outside / "secret").write_text(SECRET)
        self.control = Control()
        self.node = NodeContext(
            LocalPolicy.model_validate({"allowed_paths": (str(self.folder),)} | rules),
            top / "data",
            self.control,
            home=top,
        )

    def at(self, *names: str) -> str:
        return str(self.folder.joinpath(*names))

    def call(self, tool: str, by: str = "", /, *, dry_run: bool = False, **arguments: Any) -> Call:
        return Call(by or str(uuid.uuid4()), tool, arguments, self.node, dry_run=dry_run)

    def run(self, tool: str, by: str = "", /, *, dry_run: bool = False, **arguments: Any) -> Result:
        """Check and run, as the runner does."""
        call = self.call(tool, by, dry_run=dry_run, **arguments)
        check(self.node.policy, tool, call.arguments, HOST_FLAVOUR)
        return TOOLS[tool].run(call)

    def fails(self, tool: str, by: str = "", /, **arguments: Any) -> ErrorCode:
        """The code that the call fails with."""
        try:
            result = self.run(tool, by, **arguments)
        except ToolError as error:
            return error.code
        raise AssertionError(f"{tool} succeeded: {result}")

    def tree(self) -> dict[str, str]:
        """Everything in the allowed folder: path to kind or content."""
        return tree(self.folder)

    def untouched_outside(self) -> bool:
        """Whether what stands outside is what was there from the beginning."""
        return tree(self.outside) == {"secret": SECRET}


def tree(top: Path) -> dict[str, str]:
    """Every name below a folder with its content, or `/` for a folder and `-> target` for a link."""
    found = {}
    for path in sorted(top.rglob("*")):
        name = str(path.relative_to(top))
        if path.is_symlink():
            found[name] = f"-> {path.readlink()}"
        else:
            found[name] = "/" if path.is_dir() else path.read_text()
    return found


def cancelled() -> threading.Event:
    """What a call looks at when nobody waits for it any more."""
    event = threading.Event()
    event.set()
    return event
