"""A flood of refused messages is counted in full and told in a line."""

import pytest

from device_node.complaints import Complaints


def test_a_cause_is_logged_once_whatever_its_reasons_say(caplog: pytest.LogCaptureFixture) -> None:
    complaints = Complaints()
    for column in range(200):
        complaints.add("malformed", "orion/v1/devices/laptop/command", f"ends at column {column}")
    complaints.add("retained", "orion/v1/devices/laptop/command", "it was kept")

    assert complaints.counts == {"malformed": 200, "retained": 1}
    assert [record.getMessage().split(": ")[1] for record in caplog.records] == [
        "ends at column 0",
        "it was kept",
    ]
