"""`orion conform DEVICE`: what a device keeps of the wire contract, and what it breaks."""

import contextlib
import json
import signal
from collections import Counter
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Annotated, Any

import typer
from pydantic import TypeAdapter, ValidationError

from orion.client import ClientError, segment
from orion.exits import INTERRUPTED, Exit
from orion.terminal import Terminal
from orion.verbs import Failure, Invocation, verb
from schemas.ids import DeviceId

if TYPE_CHECKING:  # loaded by this command alone: it brings the broker's package
    from orion.conform import Check, Examination, Finding
    from schemas.signing import Signer, Verifier

ALARMS = (
    "{} signs, so it is tried whether it refuses what is not the controller's. It may tell of that as a critical event "
    "(error_occurred, bad_signature): that is this examination, and nobody else's attempt."
)
STYLES = {"passed": "green", "broken": "red", "not tried": "dim"}
EXAMPLE = "orion conform lamp-1\norion conform lamp-1 --tool light --argument on=true --write"

Id = Annotated[str, typer.Argument(metavar="DEVICE", help="The device's id.")]
ToolName = Annotated[
    str | None,
    typer.Option("--tool", metavar="NAME", help="What it is asked to do, instead of one that only looks."),
]
Arguments = Annotated[
    list[str] | None,
    typer.Option(
        "--argument", metavar="K=V", help="An argument of that tool, JSON or text; repeat for more."
    ),
]
Write = Annotated[bool, typer.Option("--write", help="The tool may be one that changes something.")]
Mqtt3 = Annotated[
    bool, typer.Option("--mqtt3", help="It speaks MQTT 3.1.1: ask nothing of it that needs MQTT 5.")
]
Disconnect = Annotated[
    bool,
    typer.Option("--disconnect", help="Look at its end and return as well; you are asked to cut it off."),
]
Within = Annotated[
    float, typer.Option("--within", min=0.5, max=60, metavar="SECONDS", help="How long an answer may take.")
]


def register(app: typer.Typer) -> None:
    """Add the command."""
    verb(app, "conform", example=EXAMPLE)(conform)


def conform(
    invocation: Invocation,
    device_id: Id,
    tool: ToolName = None,
    argument: Arguments = None,
    write: Write = False,
    mqtt3: Mqtt3 = False,
    disconnect: Disconnect = False,
    within: Within = 5.0,
) -> int:
    """Check a device, ours or anybody's, against the wire contract.

    It is listened to, and asked about a hundred times to do something that only looks. Exit code 0
    when nothing is broken, else 1.
    """
    import asyncio  # a short command without it starts faster

    from orion import conform as checks

    try:
        TypeAdapter[str](DeviceId).validate_python(device_id)
    except ValidationError:
        raise _wrong(f"{device_id!r} is not a device id.") from None
    given = _arguments(argument or [])
    if given and tool is None:
        raise _wrong("--argument belongs to a tool: name it with --tool.")
    findings: list[Finding] = []
    examinations: list[Examination] = []  # the one that began, if it did

    settings = invocation.settings

    async def look(signer: "Signer | None") -> None:
        _leave_nothing_when_told_to_end()
        async with (
            checks.endpoint(settings) as endpoint,
            checks.connected(endpoint, device_id, settings.prefix, signer=signer) as line,
        ):
            examination = checks.Examination(
                line, within_s=within, heartbeat_s=settings.heartbeat_s, mqtt3=mqtt3, disconnects=disconnect
            )
            examination.say = invocation.terminal.say
            examination.verifier = verifier
            if not await checks.first_words(examination):
                raise _silent(device_id)
            if await examination.is_offline():
                raise _offline(device_id)
            examination.choose(tool, given, may_write=write)
            examinations.append(examination)
            if examination.enrolled and examination.call is not None:
                invocation.terminal.say(ALARMS.format(device_id))
            with _shown(invocation.terminal, len(checks.CHECKS)) as begins:
                async with contextlib.aclosing(checks.examine(examination, begins)) as found:
                    findings.extend([each async for each in found])

    verifier = _verifier(invocation, device_id)
    try:
        asyncio.run(look(checks.signer_of(settings)))
    except asyncio.CancelledError:
        return INTERRUPTED
    except (checks.LineLost, checks.NoPlace) as error:
        raise Failure(str(error), code="unavailable") from error
    except checks.NoSuchCall as error:
        raise _wrong(str(error)) from error
    finally:
        # also after one that was ended or lost: what the device told of it is explained
        recorded = [_record(invocation, each, findings) for each in examinations]
    alarms = {"recorded": all(recorded), "events": examinations[0].alarms()}
    return _report(invocation.terminal, device_id, findings, alarms)


def _verifier(invocation: Invocation, device_id: str) -> "Verifier | None":
    """What verifies the device's signatures; None where no controller that runs here knows its key."""
    from schemas.signing import BadKey, Verifier

    try:
        public = invocation.client.get(f"/devices/{segment(device_id)}").get("public_key")
        return None if public is None else Verifier.of([public])
    except (ClientError, BadKey):
        return None


def _leave_nothing_when_told_to_end() -> None:
    """Take the name at the broker away as after Ctrl-C: it may do what a controller may."""
    import asyncio

    task = asyncio.current_task()
    for told in (signal.SIGTERM, getattr(signal, "SIGHUP", signal.SIGTERM)):
        with contextlib.suppress(NotImplementedError):  # Windows has no such signals
            asyncio.get_running_loop().add_signal_handler(told, lambda: task and task.cancel())


def _record(invocation: Invocation, examination: "Examination", findings: "list[Finding]") -> bool:
    """Have the controller's audit say what this was, if one runs; whether it does."""
    said = _counts(findings) | {"events": examination.alarms()}
    try:
        invocation.client.post(f"/devices/{segment(examination.device_id)}/examined", said)
    except ClientError as error:
        invocation.terminal.say(f"The controller's audit does not say that this was an examination: {error}")
        return False
    return True


def _counts(findings: "list[Finding]") -> dict[str, Any]:
    found = Counter(each.verdict.state.value for each in findings)
    return {"passed": found["passed"], "broken": found["broken"], "not_tried": found["not tried"]}


def _wrong(sentence: str) -> Failure:
    return Failure(sentence, code="invalid_arguments", exit_code=Exit.USAGE)


def _silent(device_id: str) -> Failure:
    sentence = f"The broker has heard nothing of {device_id}: is it connected, and is that its id?"
    return Failure(sentence, code="device_offline", exit_code=Exit.OFFLINE)


def _offline(device_id: str) -> Failure:
    sentence = (
        f"{device_id} is offline: its presence says so, and it answers nothing. Start it, and try again."
    )
    return Failure(sentence, code="device_offline", exit_code=Exit.OFFLINE)


def _arguments(words: list[str]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for word in words:
        name, is_given, text = word.partition("=")
        if not (name and is_given):
            raise _wrong(f"{word!r} is not an argument: write name=value.")
        try:
            found[name] = json.loads(text)
        except ValueError:
            found[name] = text
    return found


@contextlib.contextmanager
def _shown(terminal: Terminal, total: int) -> "Iterator[Callable[[Check], None]]":
    """Tell whoever looks on which check is being made."""
    if not terminal.watched:
        yield lambda _check: None
        return
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    columns = (TextColumn("{task.description}", markup=False), BarColumn(), MofNCompleteColumn())
    with Progress(*columns, TimeElapsedColumn(), console=terminal.err, transient=True) as bar:
        task = bar.add_task("", total=total)

        def begins(check: "Check") -> None:
            bar.update(task, description=f"{check.name:<28}", advance=1)

        yield begins


def _report(terminal: Terminal, device_id: str, findings: "list[Finding]", alarms: dict[str, Any]) -> Exit:
    told = _counts(findings)
    holds = not told["broken"]
    items = [each.to_json() for each in findings]
    if not terminal.answer({"device_id": device_id, "holds": holds, **told, **alarms, "items": items}):
        for item in items:
            terminal.write(f"{item['state']:<9}  {item['check']:<27}  {item['rule']}", STYLES[item["state"]])
            if item["seen"]:
                terminal.write(
                    f"{'':<9}  {'':<27}  {_word(item['state'])}{item['seen']}", STYLES[item["state"]]
                )
        verdict = "keeps what could be tried" if holds else "breaks the contract"
        terminal.say(
            f"{device_id} {verdict}: {told['passed']} passed, {told['broken']} broken, {told['not_tried']} not tried."
        )
    return Exit.DONE if holds else Exit.FAILED


def _word(state: str) -> str:
    return {"broken": "seen: ", "not tried": "because ", "passed": ""}[state]
