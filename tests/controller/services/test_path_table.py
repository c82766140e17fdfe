"""The controller judges paths by the table that the node is judged by, on whatever system it runs."""

from typing import Any

import pytest

from controller.services import permissions, targets
from controller.services.permissions import Proposal
from controller.services.policy import Verdict
from controller.services.targets import Target
from controller.store.tables import Device
from tests.factories import ADMIN, NOON, a_profile
from tests.schemas.paths import TABLE


def target_of(row: dict[str, Any]) -> Target:
    """A device of the row's system, whose owner allows the row's folders and the device does not narrow."""
    system = "windows" if row["flavour"] == "windows" else "linux"
    profile = a_profile(os={"type": system}, home=row["home"], allowed_paths=None)
    adopted = {name: offered.hash for name, offered in targets.of(_device(profile, {}, row)).tools.items()}
    return targets.of(_device(profile, adopted, row))


def _device(profile: Any, adopted: dict[str, str], row: dict[str, Any]) -> Device:
    return Device(
        id="1",
        device_id="laptop",
        policy="assist",
        profile=profile.encode().decode(),
        adopted_at=NOON,
        adopted_tools=adopted,
        allowed_paths=row["allowed"],
    )


# rows whose relative paths stand in another folder than the first allowed one are the resolver's alone
JUDGED = [row for row in TABLE if row["base"] == (row["allowed"] or [None])[0]]


@pytest.mark.parametrize("row", JUDGED, ids=[f"{row['flavour']}-{row['why'][:60]}" for row in JUDGED])
def test_the_controller_admits_exactly_what_the_table_admits(row: dict[str, Any]) -> None:
    decision = permissions.decide(ADMIN, target_of(row), Proposal("path_info", {"path": row["path"]}))

    if row["expected"] is None:
        assert decision.verdict is Verdict.DENY
        assert decision.code in ("path_not_allowed", "invalid_arguments")
    else:
        assert decision.verdict is Verdict.ALLOW, decision.reasons
        assert decision.arguments == {"path": row["expected"]}
