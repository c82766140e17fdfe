"""`orion devices link|unlink|impact`, as a person and as a program uses them."""

import pytest

from tests.orion.installation import Installation


def test_links_are_said_shown_followed_and_taken_back(installation: Installation) -> None:
    for device_id in ("nas", "tv"):
        installation.data("devices", "add", device_id)

    said = installation.orion("devices", "link", "tv", "--depends-on", "nas")
    installation.data("devices", "link", "nas", "--part-of", "laptop")
    shown = installation.orion("devices", "impact", "laptop")
    whole = installation.orion("devices", "show", "nas")
    circle = installation.data("devices", "link", "laptop", "--depends-on", "tv", exit_code=1)
    back = installation.data("devices", "unlink", "nas", "--part-of", "laptop")
    nothing = installation.orion("devices", "impact", "laptop")
    for device_id in ("nas", "tv"):
        installation.data("devices", "remove", device_id)

    assert (said.returncode, said.stderr) == (0, "tv depends on nas\n")
    heading, *rows = [line.split("\t") for line in shown.stdout.splitlines()]
    assert heading == ["stops", "name", "is now", "because it"]
    assert rows == [
        ["nas", "-", "never_seen", "is part of laptop"],
        ["tv", "-", "never_seen", "depends on nas"],
    ]
    assert whole.stdout.splitlines()[1:3] == ["part of    laptop", "needed by  tv"]
    assert "laptop depends on tv, which depends on nas" in circle["error"]["message"]
    assert back["unlinked"] is True
    assert (nothing.returncode, nothing.stdout) == (0, "")
    assert "orion devices link ID --depends-on laptop" in nothing.stderr


@pytest.mark.parametrize("words", [("link", "tv"), ("unlink", "tv", "--depends-on", "a", "--part-of", "b")])
def test_one_kind_of_link_is_chosen(installation: Installation, words: tuple[str, ...]) -> None:
    assert installation.orion("devices", *words).returncode == 2
