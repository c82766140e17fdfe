"""Which secrets an installation has in use, collected from where they are kept, and how one may look.

A new kind of secret gets a line in `KEPT`, or is named by the story that learned of it.
"""

import base64
import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from orion.config.settings import Settings
from orion.config.sources import notes, variable
from schemas.joining import JoinCode

SHORTEST = 12  # characters: less is found by chance
PEM = re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY-----(.+?)-----END", re.DOTALL)
URL_PASSWORD = re.compile(r"//[^/:@]*:([^/@]+)@")


@dataclass(frozen=True, slots=True)
class Secret:
    """One secret: what it is for, its text, and its bytes where it is a key."""

    name: str
    text: str = field(repr=False)
    raw: bytes = field(default=b"", repr=False)

    def forms(self) -> set[bytes]:
        """Every way in which it could stand somewhere."""
        plain = self.text.encode()
        found = {plain, json.dumps(self.text)[1:-1].encode()}
        for value in {plain, self.raw}:
            if value:
                found |= {
                    value,
                    value.hex().encode(),
                    value.hex().upper().encode(),
                    repr(value)[2:-1].encode(),
                }
                found |= {
                    encode(value).rstrip(b"=") for encode in (base64.b64encode, base64.urlsafe_b64encode)
                }
        return {form for form in found if len(form) >= SHORTEST}


def key(name: str, text: str) -> Secret:
    """A key in base64url."""
    return Secret(name, text, base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))


def code(text: str) -> list[Secret]:
    """A join code: as it is said, as it is typed, and what is made of it."""
    read = JoinCode.read(text)
    typed = text.replace("-", "")
    return [
        Secret("join code", text),
        Secret("join code, typed", typed),
        Secret("join code, in capitals", typed.upper()),
        Secret("join secret", read.secret.hex(), read.secret),
        key("join password", read.password),
        key("join proof", read.proof_key),
    ]


def _lines(path: Path) -> Iterator[Secret]:
    yield Secret(path.name, path.read_text().strip())


def _pem(path: Path) -> Iterator[Secret]:
    for body in PEM.findall(path.read_text()):
        text = "".join(body.split())
        yield Secret(path.name, text, base64.b64decode(text))


def _signing_keys(path: Path) -> Iterator[Secret]:
    for number, entry in enumerate(json.loads(path.read_text())):
        yield key(f"signing key {number}", entry["secret"])


def _identity(path: Path) -> Iterator[Secret]:
    secrets = json.loads(path.read_text())["secrets"]
    yield Secret(f"password of {path.parent.name}", secrets["password"])
    if secrets["signing_secret"]:
        yield key(f"key of {path.parent.name}", secrets["signing_secret"])


def _options(path: Path) -> Iterator[Secret]:
    for line in path.read_text().splitlines():
        if line.startswith("-P "):
            yield Secret(f"password of {path.parent.name}", line[3:])


# Which files of a data folder hold secrets, and how they are read.
KEPT: Mapping[str, Callable[[Path], Iterator[Secret]]] = {
    "controller/token": _lines,
    "broker/*.password": _lines,
    "**/*.key": _pem,
    "**/*.pem": _pem,
    "controller/keys.json": _signing_keys,
    "node/*/identity.json": _identity,
    "controller/watching/*/mosquitto_sub": _options,
}


def in_environment(environment: Mapping[str, str]) -> list[Secret]:
    """The settings that are secrets, or addresses with a password."""
    found = []
    for name, setting in Settings.model_fields.items():
        value, masking = environment.get(variable(name), ""), notes(setting).get("masking")
        if value and masking == "whole":
            found.append(Secret(name, value))
        if masking == "url" and (password := URL_PASSWORD.search(value)):
            found.append(Secret(name, password[1]))
    return found


def secrets_in_use(data_dir: Path, environment: Mapping[str, str] | None = None) -> list[Secret]:
    """What is kept in a data folder now, and what stands in an environment."""
    found = in_environment(environment or {})
    for pattern, read in KEPT.items():
        for path in sorted(data_dir.glob(pattern)):
            if path.is_file():
                found += read(path)
    return found
