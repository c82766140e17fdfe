"""A device that is not let in any more, as the store has it."""

from datetime import timedelta

import pytest
from sqlmodel import Session

from controller.errors import UnknownDevice
from controller.services import audit, commands, devices, invitations, revocation
from controller.services.orders import Status
from controller.services.policy import Verdict
from schemas.signing import Signer
from tests.factories import ADMIN, NOON, a_place, a_presence, a_profile, a_request, later


@pytest.fixture
def laptop(session: Session) -> str:
    """An enrolled device that is online."""
    devices.add(session, a_place(), actor=ADMIN, now=NOON)
    devices.enrol(session, "laptop", Signer.generate().public, actor=ADMIN, now=NOON)
    devices.store_profile(session, "laptop", a_profile(), now=NOON)
    devices.store_presence(session, "laptop", a_presence(), now=NOON)
    return "laptop"


def test_a_revoked_device_is_believed_no_more_and_keeps_its_place(session: Session, laptop: str) -> None:
    row = revocation.revoke(session, laptop, actor=ADMIN, now=later(1))

    assert (row.status, row.status_reason, row.public_key) == ("offline", "revoked", None)
    assert devices.revoked(session) == {"laptop": "boot-1"}
    assert audit.entries(session, action="device.revoked")
    assert devices.every(session) == [row]


def test_whatever_is_asked_of_it_is_denied_with_the_way_back(session: Session, laptop: str) -> None:
    revocation.revoke(session, laptop, actor=ADMIN, now=later(1))

    row = commands.submit(session, a_request(when_online=True), actor=ADMIN, now=later(2))

    assert (row.decision, row.status) == (Verdict.DENY, Status.DENIED)
    assert row.error_message == "laptop was revoked; let it in again with: orion devices invite laptop"


def test_an_older_code_lets_nobody_in_again(session: Session, laptop: str) -> None:
    invited = invitations.invite(
        session, a_place(), ca=b"ca", valid=timedelta(hours=1), actor=ADMIN, now=NOON
    )

    revocation.revoke(session, laptop, actor=ADMIN, now=later(1))

    assert invitations.over(session, now=later(2)) == [invited.code.invite_id]


def test_what_the_broker_still_holds_of_it_makes_it_not_come_back(session: Session, laptop: str) -> None:
    revocation.revoke(session, laptop, actor=ADMIN, now=later(1))

    devices.store_presence(session, laptop, a_presence(), now=later(2), retained=True)

    assert devices.is_revoked(devices.get(session, laptop))


@pytest.mark.parametrize("again", ["another password", "another key"])
def test_it_may_come_again(session: Session, laptop: str, again: str) -> None:
    revocation.revoke(session, laptop, actor=ADMIN, now=later(1))

    if again == "another key":
        devices.enrol(session, laptop, Signer.generate().public, actor=None, now=later(2))
    else:
        revocation.note_rotation(session, laptop, actor=ADMIN, now=later(2))

    assert not devices.is_revoked(devices.get(session, laptop))
    assert devices.revoked(session) == {}
    devices.store_profile(session, laptop, a_profile(boot_id="boot-2"), now=later(3))
    devices.store_presence(session, laptop, a_presence(boot_id="boot-2"), now=later(3))
    assert devices.get(session, laptop).status == devices.DeviceStatus.ONLINE


def test_nobody_cannot_be_revoked(session: Session) -> None:
    with pytest.raises(UnknownDevice):
        revocation.revoke(session, "nobody", actor=ADMIN, now=NOON)
