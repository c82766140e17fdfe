"""`orion why` says what the gate would say, and nothing comes of it."""

import pytest

from orion.exits import Exit
from tests.orion.installation import Installation


@pytest.mark.parametrize(
    ("words", "exit_code", "said"),
    [
        (("system_info",), Exit.DONE, "would run"),
        (("delete_path", "path=Old"), Exit.WAITING, "would wait for a person's yes"),
        (("delete_path", "path=Old", "--dry-run"), Exit.DONE, "would run"),
        (("delete_path", "path=/etc"), Exit.DENIED, "would be denied"),
        (("no_such_tool",), Exit.DENIED, "would be denied"),
    ],
)
def test_it_says_what_would_become_of_a_call(
    installation: Installation, words: tuple[str, ...], exit_code: Exit, said: str
) -> None:
    (device,) = installation.data("devices", "list", "--status", "online")["items"]
    before = installation.data("commands", "list")

    done = installation.orion("why", device["device_id"], *words)

    assert done.returncode == exit_code, done.stderr
    assert said in done.stderr
    assert "device" in done.stdout
    assert installation.data("commands", "list") == before
