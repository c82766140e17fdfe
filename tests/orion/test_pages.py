"""Long lists on the command line: a page at a time, or all of them as they come."""

import json
from collections.abc import Iterator

import pytest

from orion.client import Client, Refused
from tests.orion.installation import Installation

KEYS = [f"page-{number}" for number in range(5)]


@pytest.fixture(scope="module")
def noted(installation: Installation) -> Iterator[Installation]:
    """An installation in which five things are remembered, and so five rows more are in its audit."""
    for key in KEYS:
        installation.data("memory", "set", key, "x", "--category", "paged")
    yield installation
    for key in KEYS:
        installation.orion("memory", "forget", key)


def test_a_page_says_how_to_see_the_next_one(noted: Installation) -> None:
    first = noted.orion("memory", "list", "--category", "paged", "--limit", "2")
    cursor = first.stderr.split("--cursor ")[1].split()[0]
    second = noted.orion("memory", "list", "--category", "paged", "--limit", "3", "--cursor", cursor)

    assert "there is more" in first.stderr
    assert "page-4" in first.stdout
    assert "page-2" not in first.stdout
    assert all(key in second.stdout for key in KEYS[:3])
    assert second.stderr == ""


def test_programs_get_the_cursor_beside_the_items(noted: Installation) -> None:
    page = noted.data("memory", "list", "--category", "paged", "--limit", "4")
    rest = noted.data("memory", "list", "--category", "paged", "--cursor", page["next"])

    assert [each["key"] for each in page["items"] + rest["items"]] == KEYS[::-1]
    assert rest["next"] is None


def test_all_of_a_list_comes_under_one_heading(noted: Installation) -> None:
    lines = noted.orion("memory", "list", "--category", "paged", "--all").stdout.splitlines()

    assert [line.split("\t")[0] for line in lines] == ["key", *KEYS[::-1]]


@pytest.mark.parametrize("noun", ["audit", "commands", "events", "approvals", "memory", "sessions"])
def test_all_is_one_object_for_programs(noted: Installation, noun: str) -> None:
    everything = json.loads(noted.orion(noun, "list", "--all", "--json").stdout)

    assert everything["next"] is None
    assert isinstance(everything["items"], list)
    assert everything["items"] or noun not in {"audit", "memory"}


def test_what_is_no_cursor_is_a_usage_error(noted: Installation) -> None:
    done = noted.orion("audit", "list", "--cursor", "nonsense")

    assert (done.returncode, "no cursor of this list" in done.stderr) == (2, True)


def test_devices_are_looked_for(installation: Installation) -> None:
    (device,) = [each for each in installation.data("devices", "list")["items"] if each["status"] == "online"]

    found = installation.data("devices", "list", "--status", "online", "--find", device["name"][:3])["items"]
    none = installation.orion("devices", "list", "--find", "nothing-like-it")

    assert [each["device_id"] for each in found] == [device["device_id"]]
    assert "No device is like that." in none.stderr + none.stdout


def test_a_device_that_was_changed_meanwhile_is_looked_at_again(installation: Installation) -> None:
    place = installation.data("devices", "add", "raced")["device_id"]
    token = installation.home / "data" / "controller" / "token"
    client = Client("127.0.0.1", installation.http_port, token)
    _, seen = client.look(f"/devices/{place}")

    assert installation.orion("devices", "policy", place, "--name", "First").returncode == 0
    with pytest.raises(Refused, match="changed meanwhile"):
        client.patch(f"/devices/{place}", {"name": "Second"}, match=seen)

    assert installation.data("devices", "show", place)["name"] == "First"
    assert installation.orion("devices", "remove", place, "--yes").returncode == 0
