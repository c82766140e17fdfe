"""The registry: state moves on evidence of the device's present life, and on nothing else."""

from datetime import timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlmodel import Session

from controller.errors import AlreadyExists, NoProfile, ToolsChanged, UnknownDevice
from controller.services import audit, devices, targets
from controller.services.devices import DeviceStatus
from controller.services.policy import PolicyProfile
from controller.store import notices
from controller.store.tables import Device
from schemas.devices import Profile
from schemas.wire import MAX_PAYLOAD
from tests.factories import ADMIN, NOON, a_heartbeat, a_place, a_presence, a_profile, a_tool, later

Word = tuple[str, str]  # what was said, and in which life


def say(session: Session, word: Word) -> None:
    what, boot = word
    if what == "profile":
        devices.store_profile(session, "laptop", a_profile(boot_id=boot, tools=[]), now=NOON)
    else:
        devices.store_presence(session, "laptop", a_presence(what, boot), now=NOON)


def after(session: Session, *words: Word) -> Device:
    if devices.find(session, "laptop") is None:
        devices.add(session, a_place(), actor=ADMIN, now=NOON)
    for word in words:
        say(session, word)
    return devices.get(session, "laptop")


@pytest.mark.parametrize(
    ("words", "status"),
    [
        ([], "never_seen"),
        ([("profile", "1")], "never_seen"),
        ([("online", "1")], "arriving"),
        ([("profile", "1"), ("online", "1")], "online"),
        ([("online", "1"), ("profile", "1")], "online"),
        ([("profile", "1"), ("online", "2")], "arriving"),
        ([("profile", "1"), ("online", "1"), ("profile", "2")], "arriving"),
        ([("profile", "1"), ("online", "1"), ("profile", "2"), ("online", "2")], "online"),
        ([("profile", "1"), ("online", "1"), ("offline", "1")], "offline"),
        ([("offline", "1")], "offline"),
        ([("profile", "1"), ("offline", "1")], "offline"),
        # a late will of the life before
        ([("profile", "1"), ("online", "1"), ("profile", "2"), ("online", "2"), ("offline", "1")], "online"),
        ([("profile", "1"), ("online", "1"), ("profile", "2"), ("offline", "1"), ("online", "2")], "online"),
        ([("profile", "1"), ("online", "1"), ("offline", "1"), ("profile", "2"), ("online", "2")], "online"),
        # it died between its profile and its presence
        ([("profile", "1"), ("online", "1"), ("profile", "2"), ("offline", "2")], "offline"),
        # what is heard twice
        ([("profile", "1"), ("online", "1"), ("profile", "1"), ("online", "1")], "online"),
        ([("profile", "1"), ("online", "1"), ("offline", "1"), ("offline", "1")], "offline"),
        ([("profile", "2"), ("online", "2"), ("offline", "0")], "online"),
    ],
)
def test_presence_follows_the_present_life(session: Session, words: list[Word], status: str) -> None:
    assert after(session, *words).status == status


@given(lives=st.integers(1, 4), data=st.data())
# one transaction serves all examples: each is rolled back
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_late_will_never_takes_a_living_device_down(
    session: Session, lives: int, data: st.DataObject
) -> None:
    words: list[Word] = []
    for life in range(1, lives + 1):
        words += [("profile", f"{life}"), ("online", f"{life}")]
    for life in range(1, lives):
        # a will is published after its life began, at any moment
        born = words.index(("online", f"{life}"))
        words.insert(data.draw(st.integers(born + 1, len(words))), ("offline", f"{life}"))

    with session.begin_nested() as point:
        row = after(session, *words)
        status = row.status
        heard = [notice for notice in notices.taken(session) if isinstance(notice, notices.DeviceChanged)]
        point.rollback()

    assert status == DeviceStatus.ONLINE
    assert heard[-1].ready


def test_only_a_device_of_one_life_may_be_sent_commands(session: Session) -> None:
    after(session, ("profile", "1"), ("online", "1"), ("profile", "2"))

    heard = [notice.ready for notice in notices.of(session) if isinstance(notice, notices.DeviceChanged)]
    assert heard == [True, False]


def test_a_presence_heard_again_makes_the_device_ready_again(session: Session) -> None:
    after(session, ("profile", "1"), ("online", "1"))
    notices.taken(session)

    after(session, ("online", "1"))

    assert notices.DeviceChanged("laptop", ready=True) in notices.of(session)


def test_words_of_a_device_without_a_place_change_nothing(session: Session) -> None:
    assert devices.store_profile(session, "stranger", a_profile("stranger"), now=NOON) is None
    assert devices.store_presence(session, "stranger", a_presence(), now=NOON) is None
    devices.store_heartbeat(session, "stranger", a_heartbeat(), now=NOON)

    assert devices.every(session) == []
    assert notices.of(session) == []


def test_a_start_of_the_controller_is_no_evidence(session: Session, laptop: Device) -> None:
    devices.nobody_is_known_online(session)

    assert (laptop.status, laptop.status_reason) == ("offline", "controller_restarted")
    devices.store_presence(session, "laptop", a_presence(), now=later(1))
    assert (laptop.status, laptop.status_reason) == ("online", None)


def test_an_offline_says_why(session: Session, laptop: Device) -> None:
    devices.store_presence(session, "laptop", a_presence("offline", reason="sleeping"), now=NOON)

    assert laptop.status_reason == "sleeping"


def test_a_heartbeat_of_an_earlier_life_is_ignored(session: Session, laptop: Device) -> None:
    devices.store_heartbeat(session, "laptop", a_heartbeat(boot_id="old", cpu_percent=99.0), now=later(1))
    assert laptop.heartbeat is None

    devices.store_heartbeat(session, "laptop", a_heartbeat(cpu_percent=7.0), now=later(2))
    assert devices.get(session, "laptop").model_dump()["heartbeat"]["cpu_percent"] == 7.0
    assert laptop.last_heartbeat == laptop.last_seen_at == later(2)


def test_a_profile_that_comes_again_is_no_sign_of_life(session: Session, laptop: Device) -> None:
    devices.store_profile(session, "laptop", a_profile(boot_id="next"), now=later(1))
    devices.store_profile(session, "laptop", a_profile(boot_id="next"), now=later(5))

    assert laptop.last_seen_at == later(1)


def test_a_place_is_given_once(session: Session, laptop: Device) -> None:
    with pytest.raises(AlreadyExists):
        devices.add(session, a_place(), actor=ADMIN, now=NOON)


def test_an_unknown_device_cannot_be_changed_adopted_or_removed(session: Session) -> None:
    with pytest.raises(UnknownDevice):
        devices.change(session, "x", devices.PolicyChange(), actor=ADMIN, now=NOON)
    with pytest.raises(UnknownDevice):
        devices.adopt(session, "x", actor=ADMIN, now=NOON)
    with pytest.raises(UnknownDevice):
        devices.remove(session, "x", actor=ADMIN, now=NOON)


def test_a_device_that_has_not_spoken_cannot_be_adopted(session: Session) -> None:
    devices.add(session, a_place(), actor=ADMIN, now=NOON)

    with pytest.raises(NoProfile):
        devices.adopt(session, "laptop", actor=ADMIN, now=NOON)


def test_a_place_without_a_look_in_advance_adopts_nothing_by_itself(session: Session) -> None:
    devices.add(session, a_place(adopt_first=False), actor=ADMIN, now=NOON)
    devices.store_profile(session, "laptop", a_profile(tools=[a_tool()]), now=NOON)
    row = devices.get(session, "laptop")
    assert row.adopted_at is None
    assert [tool.name for tool in devices.unadopted(row)] == ["pump_start"]

    devices.adopt(session, "laptop", actor=ADMIN, now=later(1))

    assert row.adopted_at == later(1)
    assert devices.unadopted(row) == []


def test_only_the_first_profile_is_adopted_without_a_look(session: Session) -> None:
    devices.add(session, a_place(), actor=ADMIN, now=NOON)
    devices.store_profile(session, "laptop", a_profile(tools=[a_tool("one")]), now=NOON)

    devices.store_profile(session, "laptop", a_profile(tools=[a_tool("one"), a_tool("two")]), now=NOON)

    assert [tool.name for tool in devices.unadopted(devices.get(session, "laptop"))] == ["two"]


def test_a_change_touches_what_it_names_and_the_audit_keeps_which(session: Session, laptop: Device) -> None:
    laptop.allowed_apps = ["editor"]
    wanted = devices.PolicyChange(
        name="Desk", policy=PolicyProfile.MANAGE, allowed_paths=(), unlimited=frozenset({"allowed_apps"})
    )

    devices.change(session, "laptop", wanted, actor=ADMIN, now=later(1))

    now = devices.get(session, "laptop").model_dump()
    assert (now["name"], now["policy"], now["allowed_paths"]) == ("Desk", "manage", [])
    assert (now["allowed_apps"], now["aliases"]) == (None, [])
    (entry,) = audit.entries(session, action="device.policy")
    assert entry.detail == {"changed": ["name", "policy", "allowed_paths", "allowed_apps"]}


def test_a_removed_device_may_not_be_sent_anything(session: Session, laptop: Device) -> None:
    devices.remove(session, "laptop", actor=ADMIN, now=later(1))

    assert devices.find(session, "laptop") is None
    assert notices.of(session)[-2:] == [
        notices.DeviceChanged("laptop", ready=False),
        notices.PlaceGone("laptop"),
    ]
    assert audit.entries(session, action="device.removed")[0].device_id == "laptop"


def test_a_profile_is_shown_in_parts(session: Session) -> None:
    devices.add(session, a_place(), actor=ADMIN, now=NOON)
    profile = a_profile(
        hostname="ada-pc",
        os={"type": "linux", "version": "12"},
        hardware={"cpu": "8 cores", "ram_gb": 16.0, "disk_gb": 512.0},
        capabilities={"screen": True},
    )

    row = devices.store_profile(session, "laptop", profile, now=NOON)

    assert row is not None
    assert (row.hostname, row.os_type, row.os_version) == ("ada-pc", "linux", "12")
    assert (row.cpu_info, row.ram_gb, row.disk_gb) == ("8 cores", 16.0, 512.0)
    assert row.capabilities == {"screen": True}


def restored(session: Session, payload: bytes) -> Profile | None:
    """What a profile is read back as, after it was let in."""
    devices.add(session, a_place(), actor=ADMIN, now=NOON)
    devices.store_profile(session, "laptop", Profile.decode(payload), now=NOON)
    session.flush()
    session.expire_all()
    row = devices.get(session, "laptop")
    assert targets.of(row).known
    assert devices.unadopted(row) == []
    return devices.profile_of(row)


@pytest.mark.parametrize("at", ["0001-01-01T00:00:00Z", "0999-12-31T23:59:59.999Z", "9999-12-31T23:59:59Z"])
def test_a_profile_of_any_year_is_read_back(session: Session, at: str) -> None:
    payload = a_profile(tools=[a_tool()]).encode().replace(b"2026-02-12T12:00:00.000Z", at.encode())

    assert restored(session, payload) == Profile.decode(payload)


def test_a_profile_that_grows_when_written_again_is_read_back(session: Session) -> None:
    filler = "x" * 1_200
    tools = ",".join(
        f'{{"name":"t{number}","description":"{filler}","parameters":{{"type":"object"}}}}'
        for number in range(200)
    )
    start = f'{{"device_id":"laptop","boot_id":"b","at":"2026-02-12T10:30:05Z","tools":[{tools}],"hostname":"'
    payload = (start + "h" * (MAX_PAYLOAD - len(start) - 2) + '"}').encode()
    assert len(payload) == MAX_PAYLOAD
    assert len(Profile.decode(payload).encode()) > MAX_PAYLOAD

    profile = restored(session, payload)

    assert profile is not None
    assert len(profile.tools) == 200


def test_devices_are_listed_by_id(session: Session) -> None:
    for device_id in ("b", "a"):
        devices.add(session, a_place(device_id), actor=ADMIN, now=NOON + timedelta(seconds=1))

    assert [row.device_id for row in devices.every(session)] == ["a", "b"]


def test_only_what_somebody_looked_at_is_adopted(session: Session) -> None:
    devices.add(session, a_place(adopt_first=False), actor=ADMIN, now=NOON)
    devices.store_profile(session, "laptop", a_profile(tools=[a_tool("one")]), now=NOON)

    with pytest.raises(ToolsChanged):
        devices.adopt(session, "laptop", actor=ADMIN, now=NOON, seen={"one": "another hash"})

    assert devices.get(session, "laptop").adopted_at is None
