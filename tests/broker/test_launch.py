"""Before Mosquitto starts: whoever opens the plain port to the network is told what that means."""

from pathlib import Path

import pytest

from broker import launch
from broker.settings import BrokerSettings


@pytest.mark.parametrize(("host", "warned"), [("127.0.0.1", False), ("192.0.2.7", True)])
def test_a_plain_port_that_others_reach_is_warned_of(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, host: str, *, warned: bool
) -> None:
    launch.check_addresses(BrokerSettings(data_dir=tmp_path, host=host, port=1883))

    assert (f"{host}:1883 is not encrypted" in caplog.text) == warned
