"""Following a command until nothing moves any more, whatever happens to the controller meanwhile.

What was submitted goes on without us: whoever stops looking is told so, and how to stop it.
"""

import time
import uuid
from collections.abc import Callable, Mapping
from http import HTTPStatus

import typer

from orion.client import Client, ClientError, Json, NoAnswer, NotRunning, Refused
from orion.exits import INTERRUPTED, Exit
from orion.terminal import Terminal

WAIT = 120.0  # seconds without any news
LOOK = 60.0  # seconds of one request
BACK_WITHIN = 20.0  # seconds that a controller may be away: one that died is started again
PAUSE = 0.3  # seconds between two tries

# what ails the controller or its database may pass, and so does having asked too often
PASSING = frozenset({HTTPStatus.TOO_MANY_REQUESTS, *range(500, 600)})
MOVING = frozenset({"queued", "sent", "accepted"})
ENDS = ("succeeded", "failed", "rejected", "denied", "expired", "cancelled", "interrupted")


def moves(command: Json) -> bool:
    """Whether it goes on by itself: it has not ended, and waits for no person and no device."""
    if command["status"] not in MOVING:
        return False
    rollout = command.get("rollout")
    return rollout is None or ended(rollout) + rollout["waiting"] < rollout["total"]


def ended(rollout: Mapping[str, int]) -> int:
    """How many of a group's commands have ended."""
    return sum(rollout[each] for each in ENDS)


def patience(command: Json) -> float:
    """How long without news is nothing strange: a group with a slow pace has few."""
    rate = (command.get("rollout") or {}).get("rate_per_s")
    return max(WAIT, 2 / rate) if rate else WAIT


def follow(client: Client, command: Json, tell: Callable[[Json], None], *, quiet_s: float = WAIT) -> Json:
    """The command once nothing moves any more, or as it is after so long without news.

    `tell` sees it at each change. A controller or a database that went away is waited for: the
    command is recorded there.

    Raises:
        ClientError: the controller did not come back.
    """
    news = heard = time.monotonic()
    while moves(command) and (left := news + quiet_s - time.monotonic()) > 0:
        try:
            for found in client.watch(command["command_id"], within_s=max(1.0, min(left, LOOK))):
                heard = time.monotonic()
                if found != command:
                    command, news = found, heard
                    tell(command)
                if not moves(command):
                    return command
        except ClientError as error:
            if isinstance(error, Refused) and error.status not in PASSING:
                raise  # it would say so again
            if time.monotonic() - heard > BACK_WITHIN:
                raise _away(command, error) from error
        time.sleep(PAUSE)
    return command


def submitted(client: Client, path: str, body: Json) -> Json:
    """The command that was made of an order. It goes out again while its answer is lost, and is made once.

    Raises:
        NoAnswer: what came of it is not known, also after a while.
        ClientError: the controller refuses it, or is not there.
    """
    once = uuid.uuid4().hex
    lost: ClientError | None = None
    ends = time.monotonic() + BACK_WITHIN
    try:
        while True:
            try:
                return client.post(path, body, once=once)
            except ClientError as error:
                if _is_lost(error):
                    lost = error
                elif lost is None or not isinstance(error, NotRunning):
                    raise
            if time.monotonic() > ends:
                raise _unknown(str(lost)) from lost
            time.sleep(PAUSE)
    except KeyboardInterrupt:
        raise _unknown("Stopped.") from None


def _is_lost(error: ClientError) -> bool:
    """Whether it may be recorded: the answer did not come, or the controller itself could not tell."""
    if isinstance(error, Refused):
        return error.code == "interrupted" or (error.code == "busy" and error.status == HTTPStatus.CONFLICT)
    return isinstance(error, NoAnswer)


def _unknown(said: str) -> NoAnswer:
    return NoAnswer(
        f"{said} It may have been recorded before that: `orion commands list` shows it.",
        code="interrupted",
        exit_code=Exit.UNKNOWN,
    )


def stopped_looking(terminal: Terminal, command: Json) -> typer.Exit:
    """Say that Ctrl-C ended the look and nothing else; what to raise."""
    command_id, approval_id = command["command_id"], command.get("approval_id")
    if not terminal.answer(command):
        terminal.say("")  # what stands on the line is ^C
        if command["status"] == "awaiting_approval":
            terminal.say(f"It waits for a yes still: orion approvals approve {approval_id}")
        else:
            terminal.say(f"The command goes on. Follow it with: orion commands show {command_id}")
        terminal.say(f"Stop it with: orion commands cancel {command_id}")
    return typer.Exit(INTERRUPTED)


def _away(command: Json, error: ClientError) -> ClientError:
    return ClientError(
        f"{error} The command is recorded there: orion commands show {command['command_id']}",
        code="interrupted",
        exit_code=Exit.UNKNOWN,
    )
