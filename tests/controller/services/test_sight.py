"""What somebody sees is the same whether a list is narrowed or one row is looked at."""

from itertools import product

import pytest
from sqlmodel import Session, select

from controller.services import commands, devices
from controller.services.actors import Actor, Grant, KeyBounds, Role
from controller.services.sight import Sight
from controller.store.tables import ApprovalRow, ToolExecution
from schemas.commands import Via
from tests.factories import ADMIN, NOON, a_place, a_profile, a_request, a_tool, an_execution

ROLES = list(Role)
GRANTS = [
    (),
    (Grant(Role.VIEWER, device_id="printer"),),
    (Grant(Role.OPERATOR, group="lab"),),
    (Grant(Role.OPERATOR, device_id="printer"), Grant(Role.VIEWER, group="office")),
]
KEYS = [
    None,
    KeyBounds("k", frozenset({"commands:write"})),
    KeyBounds("k", frozenset({"commands:write"}), ("printer", "s*")),
    KeyBounds("k", frozenset({"commands:write"}), ("nothing",)),
]
EVERYBODY = [Actor("mia", role, Via.API, grants, key) for role, grants, key in product(ROLES, GRANTS, KEYS)]


@pytest.fixture(autouse=True)
def rows(session: Session) -> None:
    """Two devices, one that is gone, and commands of all kinds on them, of mia and of others, by key and without."""
    for device_id, group in (("printer", "lab"), ("server", "office")):
        devices.add(session, a_place(device_id, groups=(group,)), actor=ADMIN, now=NOON)
    places = ("printer", "server", "gone", "")
    keys = {"mia": (None, "k", "another"), "otto": (None, "his")}
    kinds = product(places, ("mia", "otto"), ("system_info", "recall"))
    every = ((*kind, key) for kind in kinds for key in keys[kind[1]])
    for number, (device_id, by, tool, key) in enumerate(every):
        whom = {"device_id": device_id, "requested_by": by, "tool_name": tool, "api_key_id": key}
        session.add(an_execution(f"c-{number}", approval_id=f"a-{number}", **whom))
        shown = [{"device_id": device_id, "tool": tool, "arguments": {}}]
        session.add(
            ApprovalRow(
                id=f"a-{number}", hash="h", summary="s", risk="low", commands=shown, requested_by=by,
                created_at=NOON, expires_at=NOON,
            )
        )  # fmt: skip
    session.flush()


def test_a_list_and_a_look_agree(session: Session) -> None:
    for actor in EVERYBODY:
        sight = Sight(session, actor)

        listed = {row.id for row in session.exec(select(ToolExecution).where(sight.of_commands()))}
        assert listed == {row.id for row in session.exec(select(ToolExecution)) if sight.command(row)}

        cards = {row.id for row in session.exec(select(ApprovalRow).where(sight.of_cards()))}
        assert cards == {row.id for row in session.exec(select(ApprovalRow)) if sight.card(row)}


def test_a_device_is_seen_by_whoever_has_a_role_there(session: Session) -> None:
    for actor in EVERYBODY:
        sight = Sight(session, actor)
        for row in devices.every(session):
            role = actor.role_on(row.device_id, row.groups)
            assert sight.role_on(row.device_id) is role
            assert sight.sees(row.device_id) == (role is not Role.GUEST)


def test_a_key_never_adds(session: Session) -> None:
    for actor in EVERYBODY:
        without = Sight(session, Actor(actor.user, actor.role, actor.via, actor.grants))
        sight = Sight(session, actor)
        for device_id in ("printer", "server", "gone"):
            assert sight.role_on(device_id).rank <= without.role_on(device_id).rank
        for row in session.exec(select(ToolExecution)):
            assert without.command(row) or not sight.command(row)


def test_of_a_device_that_is_not_seen_not_even_the_shape_of_a_tool_is_told(session: Session) -> None:
    secret = {"type": "object", "properties": {"pin": {"type": "string", "writeOnly": True}}}
    profile = a_profile("server", tools=[a_tool("unlock", parameters=secret, timeout_s=7)])
    devices.store_profile(session, "server", profile, now=NOON)
    guest = Actor("mia", Role.GUEST, Via.API)

    told = [
        commands.submit(
            session,
            a_request("unlock", device_id=device_id, arguments={"pin": "1234"}),
            actor=guest,
            now=NOON,
        )
        for device_id in ("server", "nobody")
    ]

    first, second = (
        [row.parameters, row.risk, row.timeout_s, row.decision, row.error and row.error["code"]]
        for row in told
    )
    assert first == second
