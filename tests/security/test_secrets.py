"""No secret is seen: not in a log, an answer, a command line, an environment, on the wire, on the disk.

A full run on real programs is searched for every secret that it had in use.
"""

import base64
import json
from collections.abc import Callable, Iterator

import pytest

from schemas.signing import Signer
from tests.security import in_use
from tests.security.gathering import Gathered
from tests.security.in_use import Secret
from tests.security.story.expected import LEAST, PLACES
from tests.security.story.run import full_run
from tests.security.story.telling import Story, a_secret


@pytest.fixture(scope="module")
def story(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Story]:
    """One run, told to its end."""
    with full_run(tmp_path_factory.mktemp("story")) as told:
        yield told


def test_nothing_that_can_be_seen_holds_a_secret(story: Story) -> None:
    assert story.gathered.leaks(story.secrets()) == []


def test_every_kind_of_secret_was_in_use(story: Story) -> None:
    """Whoever adds a kind of secret to an installation adds it to `in_use.KEPT` or to the story, and here."""
    names = {secret.name for secret in story.secrets()}

    assert names >= LEAST, LEAST - names


def test_every_place_was_looked_at(story: Story) -> None:
    for place, holds in PLACES.items():
        assert holds in story.gathered.pieces[place].decode(errors="replace"), place


def test_a_secret_argument_reached_its_device_and_nobody_else(story: Story) -> None:
    (pin,) = (secret for secret in story.told if secret.name == "pin of the lock")
    topics = {line.split(b" ")[0] for line in story.wire.splitlines() if pin.text.encode() in line}

    assert topics == {b"orion/v1/devices/lock/command"}


def test_no_program_leaves_its_memory_on_the_disk(story: Story) -> None:
    limits = json.loads(story.gathered.pieces["core limits"])

    assert {name.split()[0] for name in limits} >= {"broker", "controller", "mosquitto"}
    assert set(limits.values()) == {0}


def test_what_keeps_a_secret_is_for_its_owner_only(story: Story) -> None:
    secrets = [secret for secret in story.secrets() if secret not in story.told]
    opened = []
    for path in story.data_dir.rglob("*"):
        if path.is_file() and Gathered({"it": path.read_bytes()}).leaks(secrets):
            parents = [path, *(each for each in path.parents if story.data_dir in each.parents)]
            # a folder that nobody else may enter is enough
            if all(each.stat().st_mode & 0o077 for each in parents):
                opened.append(path.name)

    assert opened == []


FORMS: dict[str, Callable[[Secret], bytes]] = {
    "as it is": lambda secret: f"connecting with {secret.text}".encode(),
    "in JSON": lambda secret: json.dumps({"password": secret.text}).encode(),
    "raw": lambda secret: b"\x00" + secret.raw + b"\x00",
    "hex": lambda secret: secret.raw.hex().encode(),
    "capital hex": lambda secret: secret.raw.hex().upper().encode(),
    "base64": lambda secret: base64.b64encode(secret.raw),
    "base64 of its text": lambda secret: base64.b64encode(secret.text.encode()),
    "a repr": lambda secret: repr(secret.raw).encode(),
    "broken by a table": lambda secret: f"│ {secret.text[:9]} │\n│ {secret.text[9:]} │".encode(),
}


@pytest.mark.parametrize("form", FORMS)
def test_a_planted_leak_is_found_in_every_form(form: str) -> None:
    leaking, other = (in_use.key(name, Signer.generate().secret) for name in ("leaking", "other"))
    gathered = Gathered()
    gathered.add("log of node", "Ready")
    gathered.add("log of node", FORMS[form](leaking))
    gathered.add("log of broker", "Ready")

    assert gathered.leaks([leaking, other]) == ["leaking in log of node"]


def test_a_planted_leak_turns_the_run_red(story: Story) -> None:
    for secret in story.secrets():
        leaking = Gathered(dict(story.gathered.pieces))
        leaking.add("log of up", f"DEBUG connecting with {secret.text}")
        assert any(leak.endswith("in log of up") for leak in leaking.leaks([secret])), secret.name


def test_a_leak_is_told_without_the_secret() -> None:
    secret = a_secret("password")
    gathered = Gathered()
    gathered.add("log of node", secret.text)

    assert secret.text not in str(gathered.leaks([secret]))
    assert secret.text not in repr(secret)
