"""The controller as the command line speaks to it: what it asks, as whom, and for how long."""

import http.client
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import replace
from functools import partial
from http import HTTPStatus
from pathlib import Path
from urllib.parse import quote, urlencode

from orion.client import trust
from orion.client.errors import OVER, ClientError, NoAnswer, Refused
from orion.client.exchange import MAX_BODY, Json, Question, decoded, opened
from orion.client.patience import Patience
from orion.client.site import Site
from orion.client.speaker import Speaker
from orion.exits import Exit
from orion.signin import SignIn

ANSWER_WITHIN = 15.0  # seconds
TURN_WITHIN = 660.0  # seconds between two lines of a turn; the controller stops waiting before
SILENT_FOR = 40.0  # seconds without a word of the stream, which says one every 15
MAX_LINE = 4 * 1024 * 1024  # bytes of one line of a stream


class Client:
    """One controller. Each request is a connection of its own.

    Who has signed in is who asks; without anybody it is the bearer of the token file. Nothing that
    opens anything is sent before whoever answers has proved to know that token, where it is here.
    `url`: where it is in the place of host and port, with `ca`, who signed its certificate. By TLS
    only somebody who has signed in there asks: the owner's token does not leave this computer.
    """

    def __init__(
        self,
        host: str,
        port: int,
        token_path: Path,
        *,
        as_owner: bool = False,
        url: str | None = None,
        ca: Path | None = None,
    ) -> None:
        self.site = Site(host, port) if url is None else Site.at(url, ca)
        self.speaker = Speaker(self.site, token_path, as_owner=as_owner)
        self.sign_in = self.speaker.kept

    def get(self, path: str, *, wait_s: float = 0, **query: object) -> Json:
        """Read something; with `wait_s` once it settled, or after so long."""
        return self._call("GET", _with_query(path, query), None, {}, wait_s)[0]

    def look(self, path: str) -> tuple[Json, str]:
        """Read something that is to be changed, and which version it is: the `match` of a change of that alone."""
        return self._call("GET", path, None, {})

    def post(
        self,
        path: str,
        body: Json | None = None,
        *,
        wait_s: float = 0,
        once: str | None = None,
        match: str | None = None,
    ) -> Json:
        """Make or decide something. `once`: a name of this request, by which it may be sent again and is done once."""
        more = {"Idempotency-Key": once, "If-Match": match}
        return self._call("POST", path, {} if body is None else body, more, wait_s)[0]

    def patch(self, path: str, body: Json, *, match: str | None = None) -> Json:
        """Change something."""
        return self._call("PATCH", path, body, {"If-Match": match})[0]

    def form(self, path: str, fields: Mapping[str, str]) -> Json:
        """Send a form, as whoever shows no token; for coming in and going."""
        token = self.speaker.known_token()
        with self._opened(
            Question("POST", path, urlencode(fields), timeout=ANSWER_WITHIN), token
        ) as response:
            return decoded(response.read(MAX_BODY))

    def put(self, path: str, body: Json) -> Json:
        """Keep something in the place of what was there."""
        return self._call("PUT", path, body, {})[0]

    def delete(self, path: str, *, match: str | None = None, **query: object) -> None:
        """Take something away."""
        self._call("DELETE", _with_query(path, query), None, {"If-Match": match})

    def is_ready(self) -> bool:
        """Whether the controller is up and has reached its broker. Needs no token."""
        try:
            with self._answered(Question("GET", "/health", timeout=ANSWER_WITHIN), _anybody) as response:
                return bool(decoded(response.read(MAX_BODY)).get("status") == "ready")
        except ClientError:
            return False

    def ask(
        self, text: str, *, session_id: str | None = None, device_id: str | None = None
    ) -> Iterator[Json]:
        """Say something; each step as it is taken, the report (`type`: `report`) last.

        Raises:
            ClientError: the controller cannot be reached, refuses, or stops in the middle.
        """
        body = {"text": text, "session_id": session_id, "device_id": device_id}
        step: Json = {}
        try:
            with self._asked(Question("POST", "/ask", body, timeout=TURN_WITHIN)) as response:
                while line := response.readline(MAX_LINE):
                    step = decoded(line)
                    if step.get("type") == "problem":
                        break
                    yield step
                    if step.get("type") == "report":
                        return
        except ClientError:
            if not step:
                raise
        if step.get("type") == "problem":
            raise Refused(HTTPStatus.OK, str(step["error"]["code"]), str(step["error"]["message"]))
        raise ClientError(
            "The controller stopped in the middle of the answer. What was sent may have been done: "
            "`orion commands list` shows it.",
            code="interrupted",
            exit_code=Exit.UNKNOWN,
        )

    def watch(self, command_id: str, *, within_s: float) -> Iterator[Json]:
        """A command now and after each change, until nothing moves any more or `within_s` passed.

        Raises:
            ClientError: the controller cannot be reached, refuses, or stops in the middle.
        """
        path = f"/commands/{segment(command_id)}/watch?within_s={within_s:.0f}"
        with self._asked(Question("GET", path, timeout=ANSWER_WITHIN + within_s)) as response:
            while line := response.readline(MAX_LINE):
                yield decoded(line)

    def stream(self, *, after: str | None = None, **query: object) -> Iterator[Json]:
        """What happens, as it happens, until the controller ends it; `after` the message of that id.

        What it says of itself is among it: `ready`, `reset`, `keep_alive`, `end`.

        Raises:
            ClientError: the controller cannot be reached, refuses, or stops in the middle.
        """
        headers = {} if after is None else {"Last-Event-ID": after}
        found: Json = {}
        asked = Question("GET", _with_query("/stream", query), headers=headers, timeout=SILENT_FOR)
        with self._asked(asked) as response:
            while line := response.readline(MAX_LINE):
                name, _, value = line.decode().rstrip("\n").partition(": ")
                if name == "data":
                    found = decoded(value.encode())
                elif name == "id":
                    found = found or {"id": value, "type": "keep_alive"}
                elif found and not name:
                    yield found
                    found = {}

    def _call(
        self, method: str, path: str, body: Json | None, more: Mapping[str, str | None], wait_s: float = 0
    ) -> tuple[Json, str]:
        said = {name: value for name, value in more.items() if value is not None}
        if wait_s:
            said["Prefer"] = f"wait={max(1, round(wait_s))}"
        with self._asked(Question(method, path, body, said, timeout=ANSWER_WITHIN + wait_s)) as response:
            version = response.getheader("ETag") or "*"
            found = {} if response.status == HTTPStatus.NO_CONTENT else decoded(response.read(MAX_BODY))
            return found, version

    @contextmanager
    def _asked(self, asked: Question) -> Iterator[http.client.HTTPResponse]:
        """Ask as whoever asks here; once more where the sign-in's token opens nothing though its time was not up."""
        with ExitStack() as stack:
            signed_in = self.speaker.signed_in(lambda: self.sign_in.fresh(self._renewed))
            token: str | None
            if signed_in is None:
                bearer = token = self.speaker.owners_token()
            else:
                bearer, token = signed_in.access_token, self.speaker.known_token()
            try:
                response = stack.enter_context(self._opened(_shown(asked, bearer), token))
            except Refused as refused:
                if signed_in is None or refused.status != HTTPStatus.UNAUTHORIZED:
                    raise
                before = signed_in
                another = self.speaker.signed_in(lambda: self.sign_in.another(before, self._renewed))
                if another is None or another.username != before.username:
                    raise  # signed out or somebody else meanwhile: nobody speaks as another one unasked
                response = stack.enter_context(self._opened(_shown(asked, another.access_token), token))
            yield response

    def _renewed(self, kept: SignIn) -> SignIn:
        self.speaker.check(kept)
        form = {"grant_type": "refresh_token", "refresh_token": kept.refresh_token}
        try:
            try:
                grant = self.form("/auth/token", form)
            except NoAnswer:  # which may have been lost on its way: the same is asked for again
                grant = self.form("/auth/token", form)
        except Refused as refused:
            if refused.error != "invalid_grant":
                raise
            raise ClientError(
                OVER.format(kept.username), code="permission_denied", exit_code=Exit.DENIED
            ) from refused
        return SignIn.of(grant, self.site.origin)

    def _opened(self, asked: Question, token: str | None) -> AbstractContextManager[http.client.HTTPResponse]:
        """The answer to what holds a secret, from whoever proves first to know the owner's `token`."""
        trusted = _anybody if self.site.origin else partial(trust.check, where=self.site.shown, token=token)
        return self._answered(asked, trusted)

    @contextmanager
    def _answered(
        self, asked: Question, trusted: Callable[[http.client.HTTPConnection], None]
    ) -> Iterator[http.client.HTTPResponse]:
        """The answer, in its time: whoever asks too often waits for a while, and asks again."""
        patience = Patience()
        with ExitStack() as stack:
            while True:
                answer = opened(self.site, asked, trusted=trusted, signed_in=self.speaker.signed_in)
                try:
                    response = stack.enter_context(answer)
                except Refused as refused:
                    patience.wait(refused)
                else:
                    break
            yield response


def segment(text: str) -> str:
    """A name as one part of a path, whatever it holds."""
    return quote(text, safe="") or "%20"


def _anybody(_connection: http.client.HTTPConnection) -> None:
    """Whoever answers may be told: it is no secret, or they have shown a certificate."""


def _shown(asked: Question, token: str) -> Question:
    own = {"Authorization": f"Bearer {token}", "Orion-Via": "cli"}
    return replace(asked, headers={**asked.headers, **own})


def _with_query(path: str, query: Mapping[str, object]) -> str:
    chosen = {name: value for name, value in query.items() if value is not None}
    return path + (f"?{urlencode(chosen, doseq=True)}" if chosen else "")
