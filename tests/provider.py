"""A real OpenID provider of others (tests/node/provider.mjs), and a person's way through it by hand."""

import html
import json
import re
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import IO, Any
from urllib.parse import parse_qsl, urljoin, urlsplit

import httpx

from tests import nodejs

SECRET = "a:b c+%/"  # which has to be spelled out where a colon divides it from the name
MIA, EVE = "subject-of-mia", "subject-of-eve"
_ACTION = re.compile(r'<form[^>]* action="([^"]+)"')
_STEPS = 12  # at most, from the provider's door and back


@dataclass(frozen=True, slots=True)
class RealProvider:
    """Where it is, and how it is told to sign with new keys."""

    issuer: str
    _stdin: IO[str]
    _stdout: IO[str]

    def rotate(self) -> None:
        """Have it sign with new keys, and forget the old ones."""
        self._stdin.write("rotate\n")
        self._stdin.flush()
        assert json.loads(self._stdout.readline()) == {"rotated": True}


@contextmanager
def running(*clients: dict[str, Any]) -> Iterator[RealProvider]:
    """A provider that knows these clients."""
    nodejs.install()
    process = subprocess.Popen(
        [nodejs.program("node"), "provider.mjs", json.dumps(clients)],
        cwd=nodejs.FOLDER,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        with process.stdin as stdin, process.stdout as stdout:
            yield RealProvider(json.loads(stdout.readline())["issuer"], stdin, stdout)
    finally:
        process.wait(nodejs.ANSWERS_WITHIN)


def a_client(
    redirect_uri: str, client_id: str = "orion", *, method: str = "client_secret_basic"
) -> dict[str, Any]:
    """A client as the provider knows it."""
    secret = {} if method == "none" else {"client_secret": SECRET}
    return {
        "client_id": client_id,
        "redirect_uris": [redirect_uri],
        "token_endpoint_auth_method": method,
        **secret,
    }


def vouched(address: str, back: str, subject: str = MIA) -> str:
    """Go to the provider's `address`, sign in there and agree; the address that it sends the browser back to."""
    with httpx.Client() as browser:
        answer = browser.get(address)
        for _ in range(_STEPS):
            if answer.is_redirect:
                following = urljoin(str(answer.url), answer.headers["location"])
                if following.startswith(back):
                    return following
                answer = browser.get(following)
                continue
            assert answer.status_code == httpx.codes.OK, answer.text
            form = _ACTION.search(answer.text)
            assert form is not None, answer.text
            prompt = "login" if 'value="login"' in answer.text else "consent"
            login = {"login": subject, "password": "any"} if prompt == "login" else {}
            answer = browser.post(
                urljoin(str(answer.url), html.unescape(form[1])), data={"prompt": prompt, **login}
            )
    raise AssertionError("it leads nowhere")


def query_of(address: str) -> dict[str, str]:
    """What an address asks."""
    return dict(parse_qsl(urlsplit(address).query))
