"""`orion devices revoke|rotate|invite`: what a person is advised to do next, where that can work."""

from pathlib import Path

import pytest
import typer

from orion import words
from tests.orion.installation import running


def test_where_nobody_can_join_no_code_is_advised(tmp_path: Path) -> None:
    with running(tmp_path, "--mqtt-tls-port", "0") as plain:
        revoked = plain.orion("devices", "revoke", "laptop", "--yes")
        rotated = plain.orion("devices", "rotate", "laptop")
        invited = plain.orion("devices", "invite", "laptop")

    assert revoked.returncode == rotated.returncode == 0
    assert "orion devices rotate laptop" in revoked.stderr
    assert "invite" not in revoked.stderr + rotated.stderr
    assert invited.returncode == 1
    assert "ORION_MQTT_TLS_PORT" in invited.stderr


def test_what_is_too_short_is_said_in_the_words_that_were_typed() -> None:
    with pytest.raises(typer.BadParameter, match="must be at least 10s"):
        words.duration("1s", shortest=10.0)
    assert words.duration("10s", shortest=10.0) == 10
