"""`orion login`, `orion logout`, `orion whoami`: who the command line speaks as."""

from contextlib import suppress
from typing import Annotated
from urllib.parse import urlsplit

import typer

from broker.addresses import is_loopback
from orion import devicelogin
from orion.client import ClientError, Json, NotRunning, Refused, SignedInElsewhere
from orion.exits import Exit
from orion.signin import DamagedSignIn, Kept, SignIn
from orion.terminal import Terminal
from orion.verbs import Failure, Invocation, verb

Name = Annotated[str | None, typer.Argument(metavar="[NAME]", help="The user to sign in as.")]
CLIENT = "orion command line"
AT_LAST = "What {} opened ends at the controller by itself in 14 days."


def register(app: typer.Typer) -> None:
    """Add the verbs."""
    verb(app, "login", example="orion login mia\norion login --device")(login)
    verb(app, "logout", example="orion logout")(logout)
    verb(app, "whoami", example="orion whoami")(whoami)


def login(
    invocation: Invocation,
    name: Name = None,
    device: Annotated[
        bool,
        typer.Option("--device", help="Show a code, and wait until somebody lets this program in elsewhere."),
    ] = False,
) -> None:
    """Sign in with a password, which is asked for. From then on `orion` speaks as this user here.

    Without a terminal the password is the first line of stdin, and a new one, where it is asked
    for, the second. With --device a code is printed, which is typed in any browser by whoever
    `orion` is to speak as; there they sign in, also by an identity provider where there is one.
    """
    if device:
        _keep(invocation, _let_in(invocation, name))
    elif name is None:
        raise Failure(
            "Whose password? orion login NAME, or orion login --device",
            code="invalid_arguments",
            exit_code=Exit.USAGE,
        )
    else:
        _keep(invocation, _by_password(invocation, name))


def _by_password(invocation: Invocation, name: str) -> SignIn:
    terminal = invocation.terminal
    form = {"grant_type": "password", "username": name, "client_id": CLIENT}
    form["password"] = terminal.secret(f"Password of {name}: ")
    if not form["password"]:
        raise Failure("There is no password without a character.", code="invalid_arguments")
    try:
        grant = invocation.client.form("/auth/token", form)
    except Refused as refused:
        if refused.error != "password_change_required":
            raise
        terminal.say("That password was for once. Choose another one.")
        another = chosen(terminal)
        if not another:
            asked = "Nothing was typed" if terminal.asks else "The second line of stdin is to be the new one"
            raise Failure(
                f"That password was for one sign-in, and another one goes with it. {asked}.",
                code="invalid_arguments",
                exit_code=Exit.USAGE,
            ) from refused
        grant = invocation.client.form("/auth/token", form | {"new_password": another})
    return SignIn.of(grant, invocation.client.site.origin)


def _let_in(invocation: Invocation, name: str | None) -> SignIn:
    """Wait until somebody lets this program in; as nobody else than `name`, where one is given."""
    terminal, waiting = invocation.terminal, devicelogin.begin(invocation.client)
    is_here = is_loopback(urlsplit(waiting.address).hostname or "")
    where = "on the controller's own computer" if is_here else "on any computer"
    terminal.say(f"Open {waiting.address} in a browser, {where}, and type the code {waiting.code}")
    terminal.say(f"It is good for {waiting.minutes} minutes. Waiting; Ctrl-C gives up.")
    made = SignIn.of(waiting.grant(), invocation.client.site.origin)
    if name is not None and made.username != name:
        _revoke(invocation, made)
        raise Failure(f"{made.username} said yes, and not {name}: nobody is signed in.", code="conflict")
    return made


def _keep(invocation: Invocation, made: SignIn) -> None:
    """Keep a sign-in in the place of the one before, which is over then."""
    terminal, kept = invocation.terminal, invocation.client.sign_in
    with kept.alone():
        before, _ = _kept(kept)
        kept.write(made)
    if before is not None:
        with suppress(ClientError):  # it ends by itself
            _revoke(invocation, before)
    if not terminal.answer({"username": made.username}):
        terminal.say(f"Signed in as {made.username}. Back to whoever owns this computer: orion logout")


def logout(invocation: Invocation) -> None:
    """Sign out: what this sign-in opened is over, here and at the controller."""
    terminal, place = invocation.terminal, invocation.client.sign_in
    with place.alone():
        kept, damaged = _kept(place)
        untold = "" if kept is None else _untold(invocation, kept)
        place.forget()
    if damaged:
        if not terminal.answer({"username": None, "ended": False}):
            terminal.say(f"The damaged sign-in {place.path} is removed. {AT_LAST.format('it')}")
        return
    if kept is None:
        if not terminal.answer({"username": None}):
            terminal.say("Nobody was signed in here.")
        return
    if terminal.answer({"username": kept.username, "ended": not untold}):
        return
    terminal.say(f"{kept.username} is signed out.")
    if untold:
        terminal.say(f"The controller was not told: {untold} {AT_LAST.format('this sign-in')}")


def _untold(invocation: Invocation, sign_in: SignIn) -> str:
    """Tell the controller that a sign-in is over. Why not, where nobody who may be told is there; else nothing."""
    try:
        _revoke(invocation, sign_in)
    except (NotRunning, SignedInElsewhere) as error:
        return str(error)
    return ""


def _kept(place: Kept) -> tuple[SignIn | None, bool]:
    """The sign-in that is kept, and whether one is that cannot be read."""
    try:
        return place.read(), False
    except DamagedSignIn:
        return None, True


def _revoke(invocation: Invocation, sign_in: SignIn) -> None:
    invocation.client.speaker.check(sign_in)
    invocation.client.form("/auth/revoke", {"token": sign_in.refresh_token})


def whoami(invocation: Invocation) -> None:
    """The user that `orion` speaks as here, by what they are known, and their role."""
    kept = invocation.client.speaker.signed_in()
    found: Json = invocation.client.get("/auth/me")
    if invocation.terminal.answer(found | {"by": "token_file" if kept is None else "sign_in"}):
        return
    by = "as who owns this computer, by the token file" if kept is None else "signed in; orion logout ends it"
    invocation.terminal.say(f"{found['username']}, with the role {found['role']}: {by}")


def chosen(terminal: Terminal) -> str:
    """A new password, typed twice where somebody types.

    Raises:
        Failure: the two are not the same.
    """
    first = terminal.secret("New password: ")
    if terminal.asks and terminal.secret("The same again: ") != first:
        raise Failure("These are two passwords. Nothing was changed.", code="invalid_arguments")
    return first
