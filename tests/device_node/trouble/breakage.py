"""A journal that cannot be used, and what a node says of it."""

from pathlib import Path

from device_node.settings import NodeSettings
from tests.device_node.harness import ControllerSide, Message, a_command


def journal_of(settings: NodeSettings) -> Path:
    path = settings.directory / "journal.db"
    path.parent.mkdir(parents=True, exist_ok=True)
    return path


def damage(settings: NodeSettings) -> Path:
    path = journal_of(settings)
    path.write_bytes(b"this was a journal once " * 500)
    return path


def folder_instead(settings: NodeSettings) -> Path:
    path = journal_of(settings)
    path.mkdir()
    return path


def making(folder: Path, name: str, **changes: object) -> Message:
    return a_command("create_directory", arguments={"path": str(folder / name)}, **changes)


async def told(side: ControllerSide, code: str) -> Message:
    return await side.next(
        "event", lambda event: event["type"] == "error_occurred" and event["data"]["code"] == code
    )


async def beats_on(side: ControllerSide) -> None:
    first = await side.next("heartbeat")
    await side.next("heartbeat", lambda beat: beat["seq"] > first["seq"] + 1)
