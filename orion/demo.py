"""`orion demo`: four sentences go all the way on real parts, and each is judged on what really happened.

The sentences stand here and nowhere else. A broker, a controller and a node are started for
them in a folder of their own; all of it is gone afterwards.
"""

import asyncio
import contextlib
import logging
import os
import socket
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from orion import logs, trace, watching
from orion.client import Client, ClientError, Json
from orion.config.settings import Settings
from orion.config.sources import Loaded, load
from orion.crew import Crew
from orion.exits import Exit
from orion.nouns import approvals
from orion.serving import stopped_by_signals
from orion.terminal import Terminal
from orion.up import prefixed, start
from orion.verbs import Failure, Invocation, client_of

logger = logging.getLogger(__name__)

SYSTEM_FOLDER = Path("/etc/orion")
WATCHER = "debug.demo"
LOOKING = frozenset({"list_directory", "path_info", "search_files", "list_devices", "device_status"})
# Of the caller's own settings these are taken over; the rest is the demo's.
KEPT = ("ORION_MODEL", "ORION_MODEL_CONTEXT", "ORION_FAST_PATH")


@dataclass(frozen=True, slots=True)
class Scene:
    """One sentence, and how it must come out: each sentence of `complaints` says what did not."""

    sentence: str
    promise: str
    complaints: Callable[[Json, Path], list[str]]
    card: bool = False  # a person is asked, and the demo answers


def _made(report: Json, files: Path) -> list[str]:
    return [
        *_unless("succeeded" in _all(report, "status"), "it was not carried out"),
        *_unless((files / "Test").is_dir(), f"there is no folder {files / 'Test'}"),
    ]


def _read(report: Json, _files: Path) -> list[str]:
    return [
        *_unless("succeeded" in _all(report, "status"), "nothing was looked at"),
        *_unless(_all(report, "tool") <= LOOKING, "it did more than look"),
    ]


def _removed(report: Json, files: Path) -> list[str]:
    done = [call for call in report["calls"] if call["decision"] == "ask" and call["status"] == "succeeded"]
    return [
        *_unless(bool(done), "it was not carried out after a yes"),
        *_unless(not (files / "Test").exists(), f"{files / 'Test'} is still there"),
    ]


def _refused(report: Json, _files: Path) -> list[str]:
    return [
        *_unless(report["outcome"] == "refused", "it was not refused"),
        *_unless(any(call["reasons"] for call in report["calls"]), "no reason was given"),
    ]


SCENES = (
    Scene("Maak een folder Test op mijn laptop", "done, and the folder is really there", _made),
    Scene("What is in the folder Test on my laptop?", "looked at, nothing changed", _read),
    Scene("Delete the folder Test on my laptop", "a person is asked first, then done", _removed, card=True),
    Scene("Maak een map /etc/orion op mijn laptop", "refused with the reason, nothing happened", _refused),
)


def run(invocation: Invocation) -> Exit:
    """Show the four. Exit code 0 only if all came out as promised."""
    logs.configure("warning")
    return asyncio.run(_run(invocation.terminal))


async def _run(terminal: Terminal) -> Exit:
    with tempfile.TemporaryDirectory(prefix="orion-demo-", ignore_cleanup_errors=True) as folder:
        environment = _environment()
        loaded, files = _settings(Path(folder), environment)
        said: list[tuple[str, str]] = []
        crew = Crew(loaded, lambda program, line: said.append((program, line)), environment)
        async with stopped_by_signals(again=crew.kill) as stop:
            stopping = asyncio.create_task(stop.wait(), name="stop")
            showing = asyncio.create_task(_show(terminal, crew, loaded, files), name="demo")
            try:
                await asyncio.wait((stopping, showing), return_when=asyncio.FIRST_COMPLETED)
                return _result(showing)
            except (Failure, ClientError):
                for program, line in [] if stop.is_set() else said:
                    prefixed(terminal)(program, line)
                raise
            finally:
                for task in (stopping, showing):
                    task.cancel()
                await asyncio.wait((stopping, showing))
                await crew.stop()


def _result(showing: asyncio.Task[Exit]) -> Exit:
    if not showing.done():
        raise Failure("The demo was stopped.", code="interrupted")
    return showing.result()


async def _show(terminal: Terminal, crew: Crew, loaded: Loaded, files: Path) -> Exit:
    began = time.monotonic()
    terminal.say("Starting a broker, a controller and a node (laptop) in a folder of their own …", "dim")
    await start(crew, loaded.settings, with_node=True)
    terminal.say(f"All three work, after {time.monotonic() - began:.1f} s.", "dim")
    client = client_of(loaded.settings, as_owner=True)
    results = await asyncio.to_thread(_play, terminal, client, loaded.settings, files)
    failed = [result for result in results if result["complaints"]]
    if not terminal.answer({"passed": not failed, "items": results}):
        for result in failed:
            terminal.say(f"✗ “{result['sentence']}”: {'; '.join(result['complaints'])}", "bold red")
        if not failed:
            took = time.monotonic() - began
            terminal.write(f"All {len(results)} came out as they should, in {took:.1f} s.", "bold green")
    return Exit.FAILED if failed else Exit.DONE


def _play(terminal: Terminal, client: Client, settings: Settings, files: Path) -> list[Json]:
    with _watcher(terminal, client, settings):
        return [_scene(terminal, client, files, number, scene) for number, scene in enumerate(SCENES, 1)]


def _scene(terminal: Terminal, client: Client, files: Path, number: int, scene: Scene) -> Json:
    terminal.write("")
    terminal.write(f"{number}. “{scene.sentence}”  ({scene.promise})", "bold")
    before = _trail(SYSTEM_FOLDER)
    report: Json = {}
    for step in client.ask(scene.sentence):
        report = step
    terminal.write(f"planned by {report['planner']}")
    complaints: list[str] = []
    text = report["text"]
    if scene.card:
        answered = _answer_card(terminal, client, report)
        complaints += _unless(bool(answered), "nobody was asked")
        text = "\n".join([text, *answered])
    commands = [client.get(f"/commands/{call['command_id']}") for call in report["calls"]]
    for call, command in zip(report["calls"], commands, strict=True):
        call |= {name: command[name] for name in ("status", "result", "error")}
        trace.write(terminal, command)
    terminal.write(f"answer: {text}", "bold")
    complaints += scene.complaints(report, files)
    complaints += _unless(_trail(SYSTEM_FOLDER) == before, f"{SYSTEM_FOLDER} was touched")
    terminal.write("✓ as promised" if not complaints else f"✗ {'; '.join(complaints)}", _colour(complaints))
    return {"sentence": scene.sentence, "complaints": complaints, "report": report}


def _answer_card(terminal: Terminal, client: Client, report: Json) -> list[str]:
    """Show the card as a person would see it, say yes to exactly that, and tell what came of it."""
    answered: list[str] = []
    ids = {call["approval_id"] for call in report["calls"] if call["status"] == "awaiting_approval"}
    for approval_id in sorted(ids):
        card = client.get(f"/approvals/{approval_id}")
        trace.card(terminal, card)
        decided = approvals.decide(
            client, approval_id, "approve", comment="the demo answers yes", shown_hash=card["hash"]
        )
        terminal.write("the demo answers: yes", "yellow")
        answered.append(decided["text"])
    return answered


@contextlib.contextmanager
def _watcher(terminal: Terminal, client: Client, settings: Settings) -> Iterator[None]:
    """Somebody who may watch every message while the demo runs."""
    made = client.post("/debug-users", {"username": WATCHER})
    try:
        terminal.say(
            f"Watch every message, until the demo ends, with:\n  {watching.prepare(settings, made)}",
            "dim",
        )
        yield
    finally:
        with contextlib.suppress(ClientError):
            client.delete(f"/debug-users/{WATCHER}")


def _environment() -> dict[str, str]:
    kept = {
        name: value for name, value in os.environ.items() if not name.startswith("ORION_") or name in KEPT
    }
    # what is gone after the demo leaves nothing in the keyring of whoever watches it
    return kept | {"PYTHON_KEYRING_BACKEND": "keyring.backends.null.Keyring"}


def _settings(folder: Path, environment: dict[str, str]) -> tuple[Loaded, Path]:
    home = folder.resolve()  # a temporary folder may be reached by a link
    files = home / "laptop"
    files.mkdir()
    flags: dict[str, Any] = {
        "data_dir": home / "data",
        "mqtt_port": free_port(),
        "mqtt_tls_port": free_port(),
        "http_port": free_port(),
        "device_id": "laptop",
        "node_name": "Laptop",
        "allowed_paths": [files],
    }
    return load(flags, environment), files


def free_port() -> int:
    """A port that nobody listens on now, and none of those that people configure."""
    with socket.socket() as trial:
        trial.bind(("127.0.0.1", 0))
        port: int = trial.getsockname()[1]
        return port


def _all(report: Json, name: str) -> set[str]:
    return {call[name] for call in report["calls"]}


def _unless(good: bool, complaint: str) -> list[str]:
    return [] if good else [complaint]


def _trail(path: Path) -> tuple[int, ...] | None:
    """What tells whether somebody made or changed a folder; None while there is none."""
    try:
        found = path.stat()
    except OSError:
        return None
    return (found.st_ino, found.st_mtime_ns, found.st_ctime_ns)


def _colour(complaints: list[str]) -> str:
    return "red" if complaints else "green"
