"""The controller answers for its registry itself, for whoever may ask, and keeps a record."""

from sqlmodel import Session

from controller.services import audit, commands, devices, inquiries
from controller.services.actors import Actor, Role, through
from controller.services.commands import Origin
from controller.services.orders import Status
from controller.store.tables import Device
from schemas.commands import Via
from tests.factories import ADMIN, NOON, a_heartbeat, later


def test_the_controller_answers_for_its_registry_and_keeps_a_record(session: Session, laptop: Device) -> None:
    laptop.name, laptop.area = "Ada's laptop", "study"
    devices.store_heartbeat(session, "laptop", a_heartbeat(cpu_percent=7.0), now=later(1))
    request = commands.CommandRequest("", "list_devices", {})

    row = inquiries.answer(session, request, actor=ADMIN, now=later(2), origin=Origin.here())

    assert row.status == Status.SUCCEEDED
    assert row.result == {
        "devices": [
            {
                "device_id": "laptop",
                "status": "online",
                "adopted": True,
                "name": "Ada's laptop",
                "area": "study",
                "last_seen_at": "2026-02-12T12:00:01.000Z",
                "cpu_percent": 7.0,
            }
        ],
        "total": 1,
        "truncated": False,
    }
    assert audit.entries(session, action="command.succeeded")[0].tool == "list_devices"


def test_the_state_of_one_device_or_of_none(session: Session, laptop: Device) -> None:
    known = commands.CommandRequest("laptop", "device_status", {})
    unknown = commands.CommandRequest("nowhere", "device_status", {"x": float("nan")})

    row = inquiries.answer(session, known, actor=ADMIN, now=NOON, origin=Origin.here())
    missing = inquiries.answer(session, unknown, actor=ADMIN, now=NOON, origin=Origin.here())

    assert (row.result or {})["status"] == "online"
    assert (missing.status, (missing.error or {})["code"]) == (Status.FAILED, "unknown_device")
    assert missing.parameters == {}
    assert inquiries.answers("device_status")
    assert not inquiries.answers("delete_path")


def test_an_actor_keeps_its_rights_at_another_door() -> None:
    assert through(Actor("v", Role.VIEWER, Via.API), Via.ASSISTANT) == Actor("v", Role.VIEWER, Via.ASSISTANT)
