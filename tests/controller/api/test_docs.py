"""The pages under /docs: whole without the internet, bound to what is theirs, and open to who has no token."""

import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import httpx
import pytest

from controller.api import docs
from controller.api.docs import contract, pages
from schemas.document.asyncapi import Broker, document
from tests.controller.api import documented
from tests.controller.api.conftest import Api

PAGES = ("/docs", "/docs/async")
ASSETS = Path(docs.__path__[0], "assets")
VENDORED = (
    "swagger-ui-bundle.js",
    "swagger-ui-bundle.js.LICENSE.txt",
    "swagger-ui.css",
    "LICENSE",
    "NOTICE",
)
LOADING = {"src", "href", "srcset", "data", "poster", "action", "formaction", "background"}
SOURCE = re.compile(r"^('self'|'none'|'unsafe-inline'|data:)$")


class Page(HTMLParser):
    """What a page refers to, has an id for, and does without being asked."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.loaded: list[str] = []
        self.links: list[str] = []
        self.ids: list[str] = []
        self.inline: list[str] = []
        self._tag = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._tag = tag
        for name, value in attrs:
            if name in LOADING:
                (self.links if tag == "a" else self.loaded).append(value or "")
            if name == "id":
                self.ids.append(value or "")
            if name.startswith("on") or name == "style":
                self.inline.append(f"{tag} {name}")

    def handle_endtag(self, tag: str) -> None:
        self._tag = "" if tag == self._tag else self._tag

    def handle_data(self, data: str) -> None:
        if self._tag in ("script", "style") and data.strip():
            self.inline.append(data)


async def as_stranger(api: Api, path: str, **headers: str) -> httpx.Response:
    transport = httpx.ASGITransport(api.app, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://orion") as stranger:
        return await stranger.get(path, headers=headers)


@pytest.mark.parametrize("path", PAGES)
async def test_a_page_needs_no_token_and_loads_nothing_from_elsewhere(api: Api, path: str) -> None:
    answer = await as_stranger(api, path)
    page = Page(answer.text)

    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    assert page.loaded
    for each in page.loaded:
        assert each == "data:," or (await as_stranger(api, each)).status_code == 200, each
    for each in page.links:
        assert each.startswith(("#", "/")), each
        if each.startswith("/"):
            assert (await as_stranger(api, each)).status_code == 200, each
    assert page.inline == []


@pytest.mark.parametrize("path", PAGES)
async def test_a_browser_may_load_from_here_alone(api: Api, path: str) -> None:
    policy = (await as_stranger(api, path)).headers["content-security-policy"]
    rules = {name: sources for name, *sources in (each.split() for each in policy.split(";"))}

    assert rules["default-src"] == rules["frame-ancestors"] == rules["form-action"] == ["'none'"]
    assert all(SOURCE.match(source) for sources in rules.values() for source in sources)
    assert "'unsafe-inline'" not in rules.get("script-src", [])
    assert ("script-src" in rules) == (path == "/docs")


def test_our_own_program_calls_nobody_else() -> None:
    program = (ASSETS / "start.js").read_text(encoding="utf-8")

    assert "//" not in re.sub(r"(?m)(^|\s)// .*$", "", program)
    assert "validatorUrl: null" in program


def test_our_own_sheet_loads_nothing() -> None:
    sheet = (ASSETS / "pages.css").read_text(encoding="utf-8")

    assert "url(" not in sheet
    assert "@import" not in sheet


def test_the_sheet_of_others_loads_nothing_either() -> None:
    sheet = (ASSETS / "swagger-ui.css").read_text(encoding="utf-8")

    assert set(re.findall(r"""url\(["']?(\w+:)?""", sheet)) == {"data:"}
    assert "@import" not in sheet


@pytest.mark.parametrize("name", VENDORED)
def test_what_others_made_is_here_as_they_made_it(name: str, node_modules: Path) -> None:
    theirs = node_modules / "swagger-ui-dist" / name

    assert (ASSETS / name).read_bytes() == theirs.read_bytes(), "sh scripts/vendor.sh"


def test_nothing_else_is_among_the_assets() -> None:
    assert {each.name for each in ASSETS.iterdir()} == {*VENDORED, "pages.css", "start.js"}


async def test_what_has_not_changed_is_not_sent_again(api: Api) -> None:
    path = f"{pages.ASSETS}/swagger-ui-bundle.js"
    tag = (await as_stranger(api, path)).headers["etag"]

    assert (await as_stranger(api, path, **{"If-None-Match": tag})).status_code == 304


@pytest.mark.parametrize(
    "path", ["nothing.js", "../pages.py", "%2e%2e/pages.py", "..%2fpages.py", "%2fetc%2fpasswd", ""]
)
async def test_no_other_file_is_handed_out(api: Api, path: str) -> None:
    assert (await as_stranger(api, f"{pages.ASSETS}/{path}")).status_code == 404


async def test_the_page_of_the_contract_shows_all_of_the_document(api: Api) -> None:
    page = Page((await as_stranger(api, "/docs/async")).text)
    whole = document()
    parts = whole["components"]

    wanted = {f"channel-{name}" for name in whole["channels"]}
    wanted |= {f"operation-{name}" for name in whole["operations"]}
    wanted |= {f"message-{name}" for name in parts["messages"]}
    wanted |= {f"schema-{name}" for name in parts["schemas"] if name != "JsonValue"}
    assert wanted <= set(page.ids)
    assert len(page.ids) == len(set(page.ids))
    assert {each.removeprefix("#") for each in page.links if each.startswith("#")} <= set(page.ids)


async def test_the_contract_says_where_this_installations_broker_listens(api: Api) -> None:
    servers = (await api.http.get("asyncapi.json")).json()["servers"]
    page = (await api.http.get("http://orion/docs/async")).text

    assert [each["variables"]["port"]["default"] for each in servers.values()] == ["9"]  # as the test has it
    assert "port 9." in page
    assert "1883" not in page.partition('id="channels"')[0].partition('id="servers"')[2]


async def test_the_documents_themselves_need_no_token(api: Api) -> None:
    assert (await as_stranger(api, "/api/v1/asyncapi.json")).json() == document(
        broker=Broker(port=9, tls_port=None)
    )
    assert (await as_stranger(api, "/api/v1/openapi.json")).json() == documented.document()


def test_what_a_document_says_is_shown_and_not_obeyed() -> None:
    evil = (
        '<script>alert(1)</script><img src=x onerror="alert(1)">![x](http://elsewhere/x.png)[y](javascript:1)'
    )

    def spoilt(found: Any, *, key: str = "") -> Any:
        if isinstance(found, dict):
            return {name: spoilt(value, key=name) for name, value in found.items()}
        if isinstance(found, list):
            return [spoilt(each, key=key) for each in found]
        return f"{found} {evil}" if key in ("description", "summary", "title", "address", "text") else found

    page = contract.page(spoilt(document()))

    assert "&lt;script&gt;" in page
    assert "<script" not in page
    assert "<img" not in page
    assert 'href="javascript' not in page
    assert Page(page).inline == []
