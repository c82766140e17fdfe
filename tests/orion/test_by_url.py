"""`ORION_URL`: a controller that is asked by TLS, through a proxy, and whom that is told nothing."""

import contextlib
import json
import socket
import socketserver
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from broker.certificates import authority, server
from orion.config.sources import ConfigError, load
from tests.orion.answering import Answers, listening
from tests.orion.installation import Installation, clean_environment, orion, running

PASSWORD = "nine lives of a cat"


@dataclass
class Proxy:
    """Speaks TLS for the controller. `told`: what came through it, as text."""

    url: str
    ca: Path
    told: list[bytes]

    def settings(self, folder: Path) -> dict[str, str]:
        """Of somebody on another computer: nothing but where it is, and whom to trust."""
        return {"ORION_DATA_DIR": str(folder), "ORION_URL": self.url, "ORION_URL_CA": str(self.ca)}


class Listener(socketserver.ThreadingTCPServer):
    """A port that speaks TLS."""

    daemon_threads = True

    def __init__(
        self, host: str, context: ssl.SSLContext, handler: type[socketserver.BaseRequestHandler]
    ) -> None:
        super().__init__((host, 0), handler)
        self.socket = context.wrap_socket(self.socket, server_side=True)


@contextmanager
def encrypted(
    folder: Path, onward: int, *, host: str = "127.0.0.1", name: str = "localhost"
) -> Iterator[Proxy]:
    """A proxy with a certificate for localhost and 127.0.0.1 that leads to a port of this computer."""
    folder.mkdir()
    with authority.locked(folder):
        signer = authority.ensure(folder, now=datetime.now(UTC))
        server.ensure(folder, signer, ["localhost", "127.0.0.1"], now=datetime.now(UTC))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(server.path(folder))

    told: list[bytes] = []

    class Through(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            with socket.create_connection(("127.0.0.1", onward)) as there:
                back = threading.Thread(target=copied, args=(there, self.request), daemon=True)
                back.start()
                copied(self.request, there, told)
                back.join()

    with Listener(host, context, Through) as listener:
        serving = threading.Thread(target=listener.serve_forever, args=(0.01,), daemon=True)
        serving.start()
        url = f"https://{name}:{listener.server_address[1]}"
        try:
            yield Proxy(url, authority.public_path(folder), told)
        finally:
            listener.shutdown()
            serving.join()


def copied(source: Any, sink: Any, told: list[bytes] | None = None) -> None:
    """Everything from one to the other, until one of them hangs up."""
    with contextlib.suppress(OSError):
        while part := source.recv(65_536):
            if told is not None:
                told.append(part)
            sink.sendall(part)
    with contextlib.suppress(OSError):
        sink.shutdown(socket.SHUT_WR)


@pytest.fixture
def mia(installation: Installation) -> Iterator[None]:
    """An operator with a password, who has signed in nowhere."""
    installation.data("users", "add", "mia", "--role", "operator")
    assert installation.orion("users", "password", "mia", stdin=f"{PASSWORD}\n").returncode == 0
    yield
    (installation.home / "data" / "sign-in.json").unlink(missing_ok=True)
    installation.data("users", "remove", "mia")


@pytest.fixture
def proxy(installation: Installation, tmp_path: Path) -> Iterator[Proxy]:
    with encrypted(tmp_path / "proxy", installation.http_port) as found:
        yield found


@pytest.mark.usefixtures("mia")
def test_somebody_on_another_computer_signs_in_and_asks_by_tls(proxy: Proxy, tmp_path: Path) -> None:
    environment = clean_environment(**proxy.settings(tmp_path / "elsewhere"))

    signed_in = orion("login", "mia", environment=environment, stdin=f"{PASSWORD}\n")
    who = orion("whoami", environment=environment)
    listed = orion("devices", "list", environment=environment)
    told = orion("doctor", "--json", environment=environment)
    out = orion("logout", "--json", environment=environment)

    assert signed_in.returncode == 0, signed_in.stderr
    assert (who.stdout + who.stderr).startswith("mia, with the role operator")
    assert "laptop" in listed.stdout
    found = {each["check"]: each["found"] for each in json.loads(told.stdout)["items"]}
    assert proxy.url in found["controller"]
    assert json.loads(out.stdout) == {"username": "mia", "ended": True}


@pytest.mark.usefixtures("mia")
@pytest.mark.parametrize("host", ["127.0.0.1", "127.0.0.2"])
def test_whoever_has_no_certificate_that_is_trusted_for_the_host_is_told_nothing(
    installation: Installation, tmp_path: Path, host: str
) -> None:
    """An authority that nobody named, and another host than it is for."""
    with encrypted(tmp_path / "proxy", installation.http_port, host=host, name=host) as proxy:
        settings = proxy.settings(tmp_path / "elsewhere")
        if host == "127.0.0.1":
            del settings["ORION_URL_CA"]
        done = orion("login", "mia", environment=clean_environment(**settings), stdin=f"{PASSWORD}\n")

    assert done.returncode == 1
    assert f"The certificate of {proxy.url} is not trusted" in done.stderr
    assert "ORION_URL_CA" in done.stderr
    assert proxy.told == []


def test_the_owners_token_does_not_leave_the_computer(installation: Installation, proxy: Proxy) -> None:
    found = installation.data("devices", "list", exit_code=3, ORION_URL=proxy.url, ORION_URL_CA=str(proxy.ca))

    assert f"Nobody has signed in at {proxy.url}: orion login" in found["error"]["message"]
    assert proxy.told == []


@pytest.mark.usefixtures("mia")
def test_a_sign_in_is_shown_to_nobody_but_the_controller_that_it_is_of(
    installation: Installation, proxy: Proxy
) -> None:
    by_tls: dict[str, Any] = {"ORION_URL": proxy.url, "ORION_URL_CA": str(proxy.ca)}
    assert installation.orion("login", "mia", stdin=f"{PASSWORD}\n").returncode == 0

    there = installation.data("whoami", exit_code=3, **by_tls)
    told = list(proxy.told)
    out = installation.data("logout", **by_tls)
    assert installation.orion("login", "mia", stdin=f"{PASSWORD}\n", **by_tls).returncode == 0
    here = installation.data("whoami", exit_code=3)
    again = installation.orion("login", "mia", stdin=f"{PASSWORD}\n")

    assert f"is for a controller of this computer, and this is {proxy.url}" in there["error"]["message"]
    assert told == []
    assert out == {"username": "mia", "ended": False}
    assert f"is for {proxy.url}, and this is 127.0.0.1" in here["error"]["message"]
    assert again.returncode == 0, again.stderr
    assert installation.data("whoami")["username"] == "mia"


def test_without_tls_a_url_of_this_computer_serves_as_host_and_port_do(installation: Installation) -> None:
    url = f"http://127.0.0.1:{installation.http_port}"

    assert installation.data("whoami", ORION_HTTP_PORT="9", ORION_URL=url)["username"] == "admin"


@pytest.mark.parametrize(
    "url",
    [
        "http://orion.example.org",
        "http://192.0.2.7:8180",
        "http://127.0.0.1.example.org",
        "http://0.0.0.0:8180",
        "https://orion.example.org/api",
        "https://mia:secret@orion.example.org",
        "https://orion.example.org:port",
        "orion.example.org",
        "ftp://orion.example.org",
    ],
)
def test_what_is_no_way_to_a_controller_is_refused_with_the_remedy(url: str) -> None:
    with pytest.raises(ConfigError, match=r"ORION_URL.*like https://orion\.example\.org") as error:
        load({}, {"ORION_URL": url})

    assert "secret@" not in str(error.value)


@pytest.mark.parametrize("content", [None, b"", b"no certificate", b"\x00\x01"])
def test_an_authority_that_cannot_be_used_is_an_error_and_not_the_systems(
    proxy: Proxy, tmp_path: Path, content: bytes | None
) -> None:
    proxy.ca = tmp_path / "mine.pem"
    if content is not None:
        proxy.ca.write_bytes(content)

    done = orion("login", "mia", environment=clean_environment(**proxy.settings(tmp_path)), stdin="x\n")

    assert done.returncode == 1
    assert f"{proxy.ca} (ORION_URL_CA) cannot be used" in done.stderr
    assert proxy.told == []


def test_who_speaks_no_tls_or_is_no_controller_is_said(installation: Installation, tmp_path: Path) -> None:
    plain = {"ORION_URL": f"https://127.0.0.1:{installation.http_port}", "ORION_DATA_DIR": str(tmp_path)}
    spoke = orion("login", "mia", environment=clean_environment(**plain), stdin=f"{PASSWORD}\n")
    assert "does not speak TLS" in spoke.stderr
    with (
        listening(type("Site", (Answers,), {"is_ours": False, "status": 502})) as port,
        encrypted(tmp_path / "proxy", port) as proxy,
    ):
        environment = clean_environment(**proxy.settings(tmp_path / "elsewhere"))
        done = orion("login", "mia", environment=environment, stdin=f"{PASSWORD}\n")

    assert f"What answers at {proxy.url} is not Orion's controller (HTTP 502)" in done.stderr


def test_what_starts_a_controller_here_speaks_to_that_one(tmp_path: Path) -> None:
    with running(tmp_path / "home", ORION_URL="https://orion.invalid") as own:
        del own.environment["ORION_URL"]

        assert own.data("devices", "show", "laptop")["status"] == "online"
