"""Who listens where the controller should: whatever they answer, no secret is told to them."""

import json
import time
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest

from orion.client import Client, Unproven, trust
from orion.signin import SignIn
from tests.orion.answering import TOKEN, Answers, a_token, listening
from tests.orion.installation import Installation

PROOF = "GET /api/v1/auth/proof"
PASSWORD = "password-of-mia"
MIA = SignIn("mia", "access-token-of-mia", "refresh-token-of-mia", time.time() + 900)
SECRETS = (TOKEN, PASSWORD, MIA.access_token, MIA.refresh_token)


class Controller(Answers):
    """Says yes to everything."""

    body = json.dumps(
        {"username": "mia", "access_token": "a2", "refresh_token": "r2", "expires_in": 900, "type": "report"}
    ).encode()

    @classmethod
    def secrets(cls) -> list[str]:
        """Which it was told."""
        return [each for each in SECRETS if each.encode() in cls.told]


class Impostor(Controller):
    """Knows another token."""

    token = "a-token-that-somebody-made-up-and-hopes-for-the-best"


class OfAnEarlierRelease(Controller):
    """Has no such route."""

    instead = 404, json.dumps({"code": "not_found", "detail": "Run this: rm"}).encode()


def owner(client: Client) -> None:
    client.get("/devices")


def signed_in(client: Client) -> None:
    client.sign_in.write(MIA)
    client.get("/devices")


def renewing(client: Client) -> None:
    client.sign_in.write(SignIn(MIA.username, MIA.access_token, MIA.refresh_token, 0.0))
    client.get("/devices")


def signing_in(client: Client) -> None:
    client.form("/auth/token", {"username": "mia", "password": PASSWORD})


def a_sentence(client: Client) -> None:
    next(client.ask("x"), None)


def watching(client: Client) -> None:
    next(client.stream(), None)


@pytest.mark.parametrize("way", [owner, signed_in, renewing, signing_in, a_sentence, watching])
def test_only_whoever_knows_the_token_is_told_anything(tmp_path: Path, way: Callable[[Client], None]) -> None:
    token = a_token(tmp_path)

    with listening(Controller) as port:
        way(Client("127.0.0.1", port, token))
    with (
        listening(Impostor) as port,
        pytest.raises(Unproven, match="does not know the token of this data folder, and nothing was told"),
    ):
        way(Client("127.0.0.1", port, token))

    assert Controller.secrets()
    assert Impostor.asked == [PROOF]
    assert Impostor.secrets() == []


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b"{}",
        b"[" * 4_000,
        b'{"proof": null}',
        b'{"proof": "\\ud800"}',
        b'{"proof": "' + b"0" * 9_000,
    ],
)
def test_what_is_no_proof_is_none_whatever_it_is(tmp_path: Path, body: bytes) -> None:
    said = body

    class Odd(Controller):
        instead = 200, said

    with listening(Odd) as port, pytest.raises(Unproven):
        owner(Client("127.0.0.1", port, a_token(tmp_path)))

    assert Odd.secrets() == []


@pytest.mark.parametrize("status", [301, 401, 403, 421, 422, 500, 503])
def test_a_controller_that_proves_nothing_is_told_nothing(tmp_path: Path, status: int) -> None:
    said = status, b""

    class Ailing(Controller):
        instead = said

    with listening(Ailing) as port, pytest.raises(Unproven, match=f"HTTP {status}"):
        owner(Client("127.0.0.1", port, a_token(tmp_path)))

    assert Ailing.secrets() == []


def test_a_controller_of_an_earlier_release_is_said_with_the_remedy(tmp_path: Path) -> None:
    with (
        listening(OfAnEarlierRelease) as port,
        pytest.raises(Unproven, match=r"earlier release.*orion up") as error,
    ):
        owner(Client("127.0.0.1", port, a_token(tmp_path)))

    assert "rm" not in str(error.value)  # nobody believes the words of whoever proved nothing
    assert OfAnEarlierRelease.secrets() == []


def test_who_takes_the_port_between_two_requests_is_told_nothing(tmp_path: Path) -> None:
    with listening(Controller) as port:
        client = Client("127.0.0.1", port, a_token(tmp_path))
        client.get("/devices")

    with listening(Impostor, port=port), pytest.raises(Unproven):
        client.get("/devices")

    assert Impostor.secrets() == []


def test_who_hangs_up_after_the_proof_is_not_called_again_for_the_rest(tmp_path: Path) -> None:
    class Leaving(Controller):
        def prove(self, nonce: str) -> None:
            self.close_connection = True
            super().prove(nonce)

    Leaving.more = {"Connection": "close"}
    with listening(Leaving) as port, pytest.raises(Exception, match="broke"):
        owner(Client("127.0.0.1", port, a_token(tmp_path)))

    assert Leaving.asked == [PROOF]
    assert Leaving.secrets() == []


@pytest.mark.parametrize("host", ["127.0.0.1", "127.0.0.2"])
def test_a_proof_that_was_fetched_from_the_real_controller_is_none_elsewhere(
    installation: Installation, host: str
) -> None:
    """On another port, and on another address of this computer with the same port."""
    real = f"http://127.0.0.1:{installation.http_port}/api/v1/auth/proof"

    class Passing(Controller):
        passed = 0

        def prove(self, nonce: str) -> None:
            answer = httpx.get(real, params={"nonce": nonce}, headers={"Host": self.headers["Host"]})
            type(self).passed = answer.status_code
            self.say(answer.status_code, answer.content)

    token = installation.home / "data" / "controller" / "token"
    with (
        listening(Passing, host, installation.http_port if host == "127.0.0.2" else 0) as port,
        pytest.raises(Unproven, match="does not know the token"),
    ):
        Client(host, port, token).get("/devices")

    assert Passing.passed == 200
    assert token.read_bytes().strip() not in Passing.told
    assert Client("127.0.0.1", installation.http_port, token).get("/devices")["items"]


def test_a_token_file_that_was_replaced_is_said_and_not_shown(
    installation: Installation, tmp_path: Path
) -> None:
    another = a_token(tmp_path, b"t" * 43)

    with pytest.raises(Unproven, match="the token's file was replaced while the controller ran"):
        Client("127.0.0.1", installation.http_port, another).get("/devices")


def test_without_the_owners_token_here_nobody_can_prove_anything_and_a_sign_in_serves(tmp_path: Path) -> None:
    with listening(Impostor) as port:
        signed_in(Client("127.0.0.1", port, tmp_path / "controller" / "token"))

    assert Impostor.asked == ["GET /api/v1/devices"]


@pytest.mark.parametrize(
    ("own", "there", "stays"),
    [
        ("127.0.0.1", "127.0.0.1", True),
        ("127.0.0.1", "127.0.0.53", True),
        ("::1", "::1", True),
        ("192.0.2.7", "192.0.2.7", True),  # an address of ours
        ("192.0.2.7", "192.0.2.9", False),
        ("2001:db8::7", "2001:db8::9", False),
        ("fe80::1%eth0", "fe80::2%eth0", False),
    ],
)
def test_what_leads_to_another_computer_is_told_from_what_stays_here(
    own: str, there: str, *, stays: bool
) -> None:
    assert trust.stays_here(own, there) is stays
