"""`orion node join`: a code becomes this computer's identity, and the node runs with it."""

import asyncio
import logging
import socket
from pathlib import Path
from urllib.parse import urlsplit

from broker import files
from device_node import joining, pending, vault
from device_node.joining import JoinFailed
from orion import alone, logs
from orion.config import identity
from orion.config.addresses import TLS_PORT
from orion.exits import Exit
from orion.verbs import Failure, Invocation
from schemas.joining import BadCode, JoinCode
from schemas.topics import Topics

logger = logging.getLogger(__name__)

TRIES = 3  # of somebody who types


def run(invocation: Invocation, host: str, *, code: str | None, then_run: bool) -> int:
    """Join, keep what was given, and be the node until Ctrl-C.

    Raises:
        Failure: no usable code or host, or the broker did not let this computer in.
    """
    logs.begin(invocation.settings, "node")
    name, port = _address(host)
    known = _join(invocation, _code(invocation, code), name, port)
    where = _keep(invocation, known)
    terminal = invocation.terminal
    said = {"device_id": known.device_id, "host": known.host, "port": known.port, "kept_in": where.value}
    if not then_run and terminal.answer(said):
        return Exit.DONE
    terminal.say(f"Joined as {known.device_id}.", "green")
    if not then_run:
        terminal.say("Start it with: orion node")
        return Exit.DONE
    terminal.say("The node runs until Ctrl-C; later start it with: orion node", "dim")
    try:
        return alone.node(invocation, led=False)
    except Failure as failure:
        if failure.code != alone.IN_USE:
            raise
        terminal.say(f"The node that runs here already goes on as {known.device_id} within half a minute.")
        terminal.say("Restart it if it belonged to another controller, or does not come back.", "dim")
        return Exit.DONE


def _address(text: str) -> tuple[str, int]:
    try:
        parts = urlsplit(f"//{text}" if "//" not in text else text)
        host, port = parts.hostname, parts.port
    except ValueError:
        host, port = None, None
    if not host or parts.path not in ("", "/") or parts.username is not None:
        raise Failure(
            f"{text!r} is no host: say a name or an address, with :port if it is not {TLS_PORT}.",
            code="invalid_arguments",
            exit_code=Exit.USAGE,
        )
    return host, port or TLS_PORT


def _code(invocation: Invocation, given: str | None) -> JoinCode:
    terminal = invocation.terminal
    if given is not None:
        terminal.say(
            "A code on the command line can be read by others on this computer, and stays in the shell's history.",
            "yellow",
        )
    for left in reversed(range(TRIES if terminal.asks and given is None else 1)):
        try:
            return JoinCode.read(terminal.secret("Code: ") if given is None else given)
        except BadCode as error:
            if not left:
                raise Failure(f"{error} Get one with: orion devices invite ID", code="invalid_code") from None
            terminal.say(f"{error} Try again.", "yellow")
    raise AssertionError  # the last try has raised


def _join(invocation: Invocation, code: JoinCode, host: str, port: int) -> vault.Identity:
    topics, folder = Topics(invocation.settings.prefix), _folder(invocation)
    try:
        signer = pending.prepare(folder, code)
    except OSError as error:
        raise Failure(
            f"An identity cannot be kept in {folder}: {error.strerror}. Nothing was asked of the broker, and the "
            "code is still good: free some room there, or name another folder (ORION_DATA_DIR), and try again.",
            code="not_kept",
        ) from None
    try:
        with invocation.terminal.waiting(f"{host}:{port}"):
            return asyncio.run(
                joining.join(code, host, port, topics=topics, hostname=socket.gethostname(), signer=signer)
            )
    except JoinFailed as error:
        pending.release(folder, key=not error.unanswered)
        raise Failure(str(error), code="not_joined") from error
    except BaseException:
        pending.release(folder, key=False)
        raise


def _keep(invocation: Invocation, known: vault.Identity) -> vault.Where:
    settings = invocation.settings
    try:
        with pending.giving_way(_folder(invocation)):
            where = vault.keep(identity.folder(settings, known.device_id), known, keyring=True)
    except (OSError, files.Locked) as error:
        raise Failure(
            f"{known.device_id} was let in, but what it was given cannot be kept: {error}. Once that is mended, "
            f"let it join with a new code: orion devices invite {known.device_id}",
            code="not_kept",
        ) from None
    for path in (settings.data_dir / "node").glob(f"*/{vault.FILE}"):
        if path.parent.name != known.device_id:
            logger.warning("This computer is no longer %s", path.parent.name)
            vault.forget(path.parent)
    return where


def _folder(invocation: Invocation) -> Path:
    """Where the folders of this computer's devices are: the disk that an identity will stand on."""
    return invocation.settings.data_dir / "node"
