"""An installation with an identity provider: linked by `orion`, signed in by a browser, let in by a code."""

import re
import signal
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests import provider
from tests.orion.browsing import fields
from tests.orion.installation import Installation, running
from tests.orion.test_device_login import waiting
from tests.ports import free_port
from tests.provider import MIA, SECRET, vouched

LINK = re.compile(r'href="([^"]+oidc/login[^"]+)"')


@pytest.fixture(scope="module")
def installation(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    """One that people sign in to with a real provider, and mia, who has no password."""
    port = free_port()
    here = f"http://127.0.0.1:{port}"
    with provider.running(provider.a_client(f"{here}/api/v1/auth/oidc/callback")) as real:
        settings = {
            "ORION_HTTP_PORT": str(port),
            "ORION_OIDC_ISSUER": real.issuer,
            "ORION_OIDC_CLIENT_ID": "orion",
            "ORION_OIDC_CLIENT_SECRET": SECRET,
        }
        home = tmp_path_factory.mktemp("elsewhere")
        with running(home, "--no-node", **settings) as started:
            started.http_port = port
            started.data("users", "add", "mia", "--role", "operator")
            yield started


def by_the_provider(
    installation: Installation, browser: httpx.Client, address: str, code: str
) -> httpx.Response:
    """What a person sees who types a code and signs in with the provider."""
    page = browser.get(address, params={"user_code": code})
    link = LINK.search(page.text)
    assert link is not None, page.text
    here = f"http://127.0.0.1:{installation.http_port}"
    away = browser.get(here + link[1].replace("&amp;", "&"))
    assert away.status_code == httpx.codes.SEE_OTHER, away.text
    return browser.get(vouched(away.headers["location"], f"{here}/api/v1/auth/oidc/callback"))


def test_a_person_is_refused_linked_and_lets_their_program_in(installation: Installation) -> None:
    with (
        waiting(installation) as (program, address, code),
        httpx.Client(headers={"Accept": "text/html"}) as browser,
    ):
        refused = by_the_provider(installation, browser, address, code)
        linked = installation.data("users", "link", "mia", "--issuer-subject", MIA)
        shown = by_the_provider(installation, browser, address, code)
        done = browser.post(f"{address}/decision", data={**fields(shown), "approve": "yes"})
        _, said = program.communicate(timeout=30)

    assert refused.status_code == 403
    assert f"orion users link NAME --issuer-subject {MIA}" in refused.text
    assert (linked["username"], linked["subject"]) == ("mia", MIA)
    assert "goes on as mia" in done.text
    assert program.returncode == 0, said
    assert installation.data("whoami")["username"] == "mia"

    installation.data("logout")
    listed = {each["username"]: each for each in installation.data("users", "list")["items"]}
    assert [each["subject"] for each in listed["mia"]["identities"]] == [MIA]
    installation.data("users", "unlink", "mia", "--issuer-subject", MIA)
    gone = installation.data("users", "unlink", "mia", "--issuer-subject", MIA, exit_code=1)
    assert "mia is not" in gone["error"]["message"]


def test_the_secret_is_shown_nowhere(installation: Installation) -> None:
    shown = installation.orion("config", "show").stdout
    everything = [path for path in (installation.home / "data").rglob("*") if path.is_file()]

    assert "oidc_client_secret" in shown
    assert SECRET not in shown + installation.log
    assert not [path for path in everything if SECRET.encode() in path.read_bytes()]


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        (
            {"ORION_OIDC_ISSUER": "https://login.example"},
            "ORION_OIDC_ISSUER and ORION_OIDC_CLIENT_ID go together",
        ),
        ({"ORION_OIDC_CLIENT_ID": "orion"}, "ORION_OIDC_ISSUER and ORION_OIDC_CLIENT_ID go together"),
        ({"ORION_OIDC_ISSUER": "http://login.example"}, "oidc_issuer from the environment"),
        ({"ORION_PUBLIC_URL": "http://orion.example"}, "public_url from the environment"),
        ({"ORION_OIDC_NEW_USERS": "admin"}, "none, guest, viewer or operator"),
        (
            {
                "ORION_OIDC_ISSUER": "https://login.example",
                "ORION_OIDC_CLIENT_ID": "orion",
                "ORION_OIDC_SCOPES": "profile",
            },
            "must begin with openid",
        ),
    ],
)
def test_what_is_set_wrong_is_said(tmp_path: Path, settings: dict[str, str], said: str) -> None:
    done = Installation(tmp_path).orion("controller", **settings)

    assert done.returncode == 2
    assert said in done.stderr


def test_a_provider_that_is_away_keeps_nobody_from_starting(tmp_path: Path) -> None:
    away = {"ORION_OIDC_ISSUER": f"http://127.0.0.1:{free_port()}", "ORION_OIDC_CLIENT_ID": "orion"}
    with running(tmp_path, "--no-node", **away) as installation:
        answer = httpx.get(f"http://127.0.0.1:{installation.http_port}/api/v1/auth/oidc/login")

        assert answer.status_code == 502
        assert installation.data("whoami")["username"] == "admin"
        assert installation.stop(signal.SIGINT) == 0
