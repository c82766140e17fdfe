"""A join code is given out once, used once by one device, and over when its time is."""

from datetime import timedelta

import pytest
from sqlmodel import Session, select

from controller.errors import AlreadyExists, InvalidArguments, UnknownDevice
from controller.services import devices, invitations, users
from controller.services.invitations import Claim, Verdict
from controller.services.users import UserRole
from controller.store.tables import AuditEntry, Invitation, User
from schemas.joining import JoinCode, prove
from schemas.keys import JoinRequest
from schemas.signing import Signer
from schemas.wire import MalformedMessage
from tests.factories import ADMIN, NOON

CA = bytes(range(32))
VALID = timedelta(minutes=15)
KEY = Signer.generate().public
OTHER = Signer.generate().public


def invite(session: Session, device_id: str = "nas") -> JoinCode:
    new = devices.NewDevice(device_id)
    return invitations.invite(session, new, ca=CA, valid=VALID, actor=ADMIN, now=NOON).code


def claim(
    session: Session, code: JoinCode, key: str = KEY, *, after: timedelta = timedelta(), proven: bool = True
) -> Claim:
    topic = f"orion/v1/join/{code.invite_id}/request"
    payload = JoinRequest(public_key=key, hostname="box").encode()
    return invitations.claim(
        session,
        code.invite_id,
        topic=topic,
        payload=payload,
        properties=prove(code.proof_key, topic, payload) if proven else (),
        now=NOON + after,
    )


def test_the_first_device_that_proves_the_code_is_enrolled(session: Session) -> None:
    code = invite(session)
    assert claim(session, code) == Claim(Verdict.GRANTED, "nas", code.proof_key)
    assert devices.get(session, "nas").public_key == KEY


def test_the_same_device_may_ask_again_and_no_other(session: Session) -> None:
    code = invite(session)
    claim(session, code)
    assert claim(session, code).verdict is Verdict.GRANTED
    assert claim(session, code, OTHER).verdict is Verdict.USED
    assert devices.get(session, "nas").public_key == KEY


def test_once_it_is_closed_nobody_may(session: Session) -> None:
    code = invite(session)
    claim(session, code)
    invitations.close(session, code.invite_id)
    assert claim(session, code).verdict is Verdict.CLOSED


def test_after_its_time_it_lets_nobody_in_and_is_to_be_tidied(session: Session) -> None:
    code = invite(session)
    assert invitations.over(session, now=NOON) == []
    assert claim(session, code, after=VALID).verdict is Verdict.EXPIRED
    assert devices.get(session, "nas").public_key is None
    assert invitations.over(session, now=NOON + VALID) == [code.invite_id]


def test_a_newer_code_for_the_device_voids_the_older(session: Session) -> None:
    older, newer, another = invite(session), invite(session), invite(session, "lamp")
    assert claim(session, older).verdict is Verdict.EXPIRED
    assert claim(session, newer).verdict is Verdict.GRANTED
    assert claim(session, another).device_id == "lamp"


def test_too_many_requests_without_the_code_void_it(session: Session) -> None:
    code = invite(session)
    for _ in range(invitations.MAX_FAULTS):
        assert claim(session, code, proven=False).verdict is Verdict.UNPROVEN
    assert claim(session, code).verdict is Verdict.VOIDED


def test_a_proven_request_that_is_none_is_refused(session: Session) -> None:
    code = invite(session)
    with pytest.raises(MalformedMessage, match="public_key"):
        claim(session, code, "AAAA")


def test_an_invitation_leaves_a_device_that_is_there_as_it_is(session: Session) -> None:
    devices.add(session, devices.NewDevice("nas", name="The NAS"), actor=ADMIN, now=NOON)
    invite(session)
    assert devices.get(session, "nas").name == "The NAS"


def test_neither_the_code_nor_its_secret_is_kept(session: Session) -> None:
    code = invite(session)
    session.flush()
    kept = str([row.model_dump() for row in session.exec(select(Invitation))])
    kept += str([row.model_dump() for row in session.exec(select(AuditEntry))])
    assert code.text not in kept
    assert code.secret.hex() not in kept
    assert code.password not in kept


def test_a_users_name_is_no_devices(session: Session) -> None:
    users.add(session, "boss", UserRole.ADMIN, actor=ADMIN, now=NOON)

    with pytest.raises(AlreadyExists, match="users and devices share their names"):
        invite(session, "boss")
    assert devices.find(session, "boss") is None
    assert session.exec(select(Invitation)).all() == []


def test_the_name_of_a_device_that_is_invited_is_no_users(session: Session) -> None:
    invite(session, "boss")
    with pytest.raises(AlreadyExists, match="There is a device 'boss'"):
        users.add(session, "boss", UserRole.ADMIN, actor=ADMIN, now=NOON)


def test_a_code_is_worth_nothing_once_its_place_is_gone(session: Session) -> None:
    code = invite(session, "boss")
    devices.remove(session, "boss", actor=ADMIN, now=NOON)
    with pytest.raises(UnknownDevice):
        claim(session, code)
    users.add(session, "boss", UserRole.ADMIN, actor=ADMIN, now=NOON)
    assert claim(session, code).verdict is Verdict.TAKEN


def test_a_place_that_has_a_users_name_from_earlier_is_not_given_to_who_joins(session: Session) -> None:
    code = invite(session, "boss")
    session.add(User(username="boss", role="admin", added_by="admin", added_at=NOON))

    assert claim(session, code) == Claim(Verdict.TAKEN, "boss", code.proof_key)
    assert devices.get(session, "boss").public_key is None
    with pytest.raises(AlreadyExists):
        devices.enrol(session, "boss", KEY, actor=ADMIN, now=NOON)
    with pytest.raises(AlreadyExists):
        invite(session, "boss")


@pytest.mark.parametrize("name", ["controller-main", "join-abc"])
def test_a_name_that_is_kept_for_a_part_of_orion_is_not_invited(session: Session, name: str) -> None:
    with pytest.raises(InvalidArguments, match=f"Device ids cannot begin with {name.partition('-')[0]}-"):
        invite(session, name)
    assert devices.every(session) == []
