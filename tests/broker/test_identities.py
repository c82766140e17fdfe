"""Who gets in and what they may do, judged by what is received."""

import asyncio
import stat
import subprocess
from collections.abc import AsyncIterator, Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from broker import files, process
from broker.identities import (
    BadName,
    BrokerUnreachable,
    Identities,
    Local,
    NameTaken,
    UnknownIdentity,
    await_active,
    hash_password,
    local,
    verify_password,
)
from broker.rights import Role
from broker.session import ConnectFailed, Endpoint, PublishRefused, Received, Session, Subscription
from broker.settings import BrokerSettings
from broker.supervisor import supervised
from tests.broker.running import RunningBroker
from tests.ports import free_port

A = "orion/v1/devices/a"
B = "orion/v1/devices/b"
PUBLISHED = ("presence", "profile", "heartbeat", "event", "reply/main")
RECEIVED = ("command", "cancel", "ack")


@asynccontextmanager
async def joined(endpoint: Endpoint, *, session_expiry_s: int = 0) -> AsyncIterator[Session]:
    session = Session(endpoint, client_id=endpoint.username or "", session_expiry_s=session_expiry_s)
    await session.connect()
    try:
        yield session
    finally:
        await session.close()


async def heard(session: Session, topics: Iterable[str], *, sender: Session, marker: str) -> set[str]:
    """Which of the topics reach `session`; what is refused or not delivered is missing."""
    for topic in (*topics, marker):
        try:
            await sender.publish(topic, b"{}")
        except PublishRefused:
            continue
    got: list[Received] = []
    async with asyncio.timeout(5):
        while marker not in {message.topic for message in got}:
            got += await session.receive(100)
    return {message.topic for message in got} - {marker}


async def test_device_receives_its_own_commands_and_nobody_elses(broker: RunningBroker) -> None:
    async with joined(await broker.add_device("a")) as device, joined(broker.controller) as controller:
        await device.subscribe(
            [Subscription("#"), Subscription(f"{B}/command"), Subscription("$share/g/orion/v1/#")]
        )
        own = {f"{A}/{name}" for name in RECEIVED}
        shared = {"orion/v1/controllers/keys", "orion/v1/controllers/main/presence"}
        foreign = {
            *(f"{B}/{name}" for name in (*RECEIVED, *PUBLISHED)),
            "orion/v1/users/a/response",
            "orion/v1/approvals/1",
            "orion/v1/audit",
        }
        assert await heard(device, own | shared | foreign, sender=controller, marker=f"{A}/ack") == (
            own | shared
        ) - {f"{A}/ack"}


async def test_device_publishes_as_itself_and_no_commands(broker: RunningBroker) -> None:
    async with joined(await broker.add_device("a")) as device, joined(broker.controller) as controller:
        await controller.subscribe([Subscription("orion/v1/#")])
        own = {f"{A}/{name}" for name in PUBLISHED}
        foreign = {
            *(f"{B}/{name}" for name in PUBLISHED),
            *(f"{device_topics}/{name}" for device_topics in (A, B) for name in RECEIVED),
            f"{A}/reply/main/deeper",
            "orion/v1/users/a/request",
            "orion/v1/controllers/main/presence",
            "orion/v1/controllers/keys",
            "orion/v1/approvals/1",
            "orion/v1/audit",
        }
        assert await heard(controller, own | foreign, sender=device, marker=f"{A}/event") == own - {
            f"{A}/event"
        }


async def test_debugging_user_reads_all_and_publishes_nothing(broker: RunningBroker) -> None:
    debug = await broker.add_debug_user("debug.anna")
    async with joined(debug) as reader, joined(broker.controller) as controller:
        await reader.subscribe([Subscription("orion/v1/#")])
        assert await heard(
            reader, {f"{A}/command", "orion/v1/audit"}, sender=controller, marker="orion/v1/x"
        ) == {
            f"{A}/command",
            "orion/v1/audit",
        }
        await controller.subscribe([Subscription("orion/v1/#")])
        for topic in (f"{A}/command", f"{A}/presence", "orion/v1/audit"):
            with pytest.raises(PublishRefused):
                await reader.publish(topic, b"{}")


@pytest.mark.parametrize("role", [Role.DEBUG, Role.ADMIN, Role.OPERATOR, Role.VIEWER, Role.HOME_ASSISTANT])
async def test_the_answer_to_a_device_that_joins_holds_a_password_and_reaches_nobody_else(
    broker: RunningBroker, role: Role
) -> None:
    answer = "orion/v1/join/abcd/response"
    name = "user.anna"
    reading = broker.endpoint(name, await asyncio.to_thread(broker.identities.add_user, name, role))
    joining = await asyncio.to_thread(broker.identities.add_joining, "abcd", "the-code's")
    await await_active(reading)
    end = f"{A}/presence" if role is not Role.HOME_ASSISTANT else "orion/v1/homeassistant/x"
    async with (
        joined(reading) as reader,
        joined(broker.endpoint(joining, "the-code's")) as device,
        joined(broker.controller) as controller,
    ):
        for each in ("orion/v1/#", "orion/v1/join/#", answer, "#", end):
            await reader.subscribe([Subscription(each)])
        await device.subscribe([Subscription(answer)])

        assert await heard(reader, {answer}, sender=controller, marker=end) == set()
        await controller.publish(answer, b"{}")
        async with asyncio.timeout(5):
            assert {message.topic for message in await device.receive(1)} == {answer}


async def test_controller_shares_subscriptions(broker: RunningBroker) -> None:
    async with joined(broker.controller) as controller:
        await controller.subscribe([Subscription("$share/g/orion/v1/#")])
        assert await heard(controller, {f"{A}/event"}, sender=controller, marker="orion/v1/end") == {
            f"{A}/event"
        }


@pytest.mark.parametrize(
    ("username", "password"), [(None, None), ("a", None), ("a", "wrong"), ("nobody", "x")]
)
async def test_stranger_is_not_let_in(
    broker: RunningBroker, username: str | None, password: str | None
) -> None:
    await broker.add_device("a")
    session = Session(Endpoint("127.0.0.1", broker.settings.port, username, password), client_id="a")
    with pytest.raises(ConnectFailed) as caught:
        await session.connect()
    assert caught.value.not_let_in


async def test_client_id_is_bound_to_the_name(broker: RunningBroker) -> None:
    b = await broker.add_device("b")
    async with joined(await broker.add_device("a")) as device:
        impostor = Session(b, client_id="a")
        await impostor.connect()
        await device.publish(f"{A}/event", b"{}")
        assert device.alive  # its session was not taken over
        await impostor.close()


async def test_added_identity_disturbs_nobody(broker: RunningBroker) -> None:
    async with joined(broker.controller) as controller, joined(await broker.add_device("a")) as device:
        await broker.add_device("c")
        await broker.add_debug_user()
        await controller.publish("orion/v1/audit", b"{}")
        await device.publish(f"{A}/event", b"{}")
        assert controller.alive
        assert device.alive


async def test_removed_identity_is_thrown_out_and_stays_out(broker: RunningBroker) -> None:
    endpoint = await broker.add_device("a")
    async with joined(broker.controller) as controller, joined(endpoint) as device:
        await asyncio.to_thread(broker.identities.remove, "a")
        async with asyncio.timeout(5):
            await device.lost()
        assert controller.alive
    with pytest.raises(ConnectFailed):
        await await_active(endpoint, within_s=0.2)


async def test_rotated_password_replaces_the_old_one(broker: RunningBroker) -> None:
    old = await broker.add_device("a")
    password = await asyncio.to_thread(broker.identities.rotate, "a")
    await await_active(broker.endpoint("a", password))
    with pytest.raises(ConnectFailed):
        await await_active(old, within_s=0.2)


@pytest.fixture
def identities(tmp_path: Path) -> Identities:
    made = Identities(tmp_path / "broker")
    made.ensure()
    return made


def test_controller_keeps_its_password(identities: Identities) -> None:
    first = identities.ensure()
    assert identities.ensure() == first
    assert identities.all()["controller-main"] is Role.CONTROLLER


def test_lost_password_file_is_replaced(identities: Identities, tmp_path: Path) -> None:
    first = identities.ensure()
    (tmp_path / "broker" / "controller-main.password").unlink()
    assert identities.ensure().password != first.password


def test_password_file_that_opens_nothing_is_replaced(identities: Identities, tmp_path: Path) -> None:
    (tmp_path / "broker" / "controller-main.password").write_text("half a change\n")
    credentials = identities.ensure()
    assert credentials.password != "half a change"
    assert identities.ensure() == credentials


@pytest.mark.parametrize("damaged", ["", "x", "$7$101$a$b", "$7$x$YQ==$YQ==", "$6$101$YQ==$YQ=="])
def test_damaged_hash_fits_no_password(damaged: str) -> None:
    assert verify_password("secret", hash_password("secret"))
    assert not verify_password("other", hash_password("secret"))
    assert not verify_password("secret", damaged)


def test_every_file_is_private(identities: Identities, tmp_path: Path) -> None:
    identities.add_device("a")
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in (tmp_path / "broker").iterdir()}
    assert set(modes.values()) == {0o600}
    assert stat.S_IMODE((tmp_path / "broker").stat().st_mode) == 0o700


def test_no_password_is_written_but_the_controllers_own(identities: Identities, tmp_path: Path) -> None:
    password = identities.add_device("a")
    for path in (tmp_path / "broker").iterdir():
        assert password not in path.read_text()


def test_names_are_given_once(identities: Identities) -> None:
    identities.add_device("a")
    identities.add_user("debug.a", Role.DEBUG)
    with pytest.raises(NameTaken, match=r"'a' belongs to a device already\.$"):
        identities.add_device("a")
    with pytest.raises(NameTaken, match=r"a debugging user already.*orion debug-user remove debug\.a$"):
        identities.add_user("debug.a", Role.DEBUG)


@pytest.mark.parametrize(
    "name",
    ["", "A", "a b", "a/b", "+", "#", "%u", "a:b", "a\nb", "-a", "controller-main", "join-1", "a" * 64],
)
def test_name_that_is_no_device_id_is_refused(identities: Identities, name: str) -> None:
    with pytest.raises(BadName):
        identities.add_device(name)


@pytest.mark.parametrize("name", ["controller-x", "join-abcd", "a b", "a\nuser x", "+", "", "%u"])
def test_name_that_is_no_users_is_refused(identities: Identities, name: str) -> None:
    with pytest.raises(BadName):
        identities.add_user(name, Role.VIEWER)


@pytest.mark.parametrize("role", [Role.CONTROLLER, Role.DEVICE, Role.JOINING, Role.PROBE])
def test_role_that_is_no_users_is_refused(identities: Identities, role: Role) -> None:
    with pytest.raises(BadName):
        identities.add_user("ada", role)


@pytest.mark.parametrize("invite_id", ["", "abc", "ABCD", "ab-cd", "ab/cd", "+", "a" * 33])
def test_invitation_of_another_form_is_refused(identities: Identities, invite_id: str) -> None:
    with pytest.raises(BadName):
        identities.add_joining(invite_id, "x" * 43)


def test_unknown_name_cannot_be_removed_or_rotated(identities: Identities) -> None:
    with pytest.raises(UnknownIdentity):
        identities.remove("nobody")
    with pytest.raises(UnknownIdentity):
        identities.rotate("nobody")


def test_changes_made_at_once_are_all_kept(identities: Identities, tmp_path: Path) -> None:
    def add(number: int) -> None:
        Identities(tmp_path / "broker").add_device(f"d{number}")

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(add, range(24)))
    devices = [name for name, role in identities.all().items() if role is Role.DEVICE]
    assert len(devices) == 24
    assert (
        len((tmp_path / "broker" / "passwords").read_text().splitlines()) == 26
    )  # and the controller, and what proves a change


# as `_write` orders them
WRITTEN = ("probe.changes.password", "identities.json", "rights.acl", "passwords")


@pytest.mark.parametrize("died_after", range(len(WRITTEN) + 1))
@pytest.mark.parametrize("change", ["add", "remove", "suspend", "rotate"])
async def test_a_change_that_was_interrupted_is_whole_after_the_next_start(
    tmp_path: Path, died_after: int, change: str
) -> None:
    settings = BrokerSettings(data_dir=tmp_path, port=free_port())
    identities = Identities(settings.directory)

    def begin_and_die() -> str:
        identities.ensure_probes()
        kept = identities.add_device("kept")
        if change != "add":
            identities.add_device("a")
        before = {name: (settings.directory / name).read_text() for name in WRITTEN}
        changes: dict[str, Callable[[str], object]] = {
            "add": identities.add_device,
            "remove": identities.remove,
            "suspend": identities.suspend,
            "rotate": identities.rotate,
        }
        changes[change]("a")
        for name in WRITTEN[died_after:]:
            (settings.directory / name).write_text(before[name])
        return kept

    password = await asyncio.to_thread(begin_and_die)
    async with supervised(settings):
        local = Local(identities, Endpoint(settings.host, settings.port))
        await await_active(Endpoint(settings.host, settings.port, "kept", password))
        if "a" in await local.all():
            await local.remove("a")
        place = Endpoint(settings.host, settings.port, "a", await local.add_device("a"))
        async with joined(place) as device:
            await device.publish(f"{A}/event", b"{}")
            with pytest.raises(PublishRefused):
                await device.publish(f"{B}/event", b"{}")


def test_nothing_is_reloaded_where_no_broker_runs(identities: Identities, tmp_path: Path) -> None:
    (tmp_path / "broker" / "mosquitto.pid").write_text("1")  # somebody else's process
    assert identities.reload() is False


@pytest.mark.parametrize("change", ["remove", "rotate", "suspend"])
async def test_a_change_reaches_a_broker_whose_pid_file_is_lost(broker: RunningBroker, change: str) -> None:
    async with joined(await broker.add_device("a")) as device:
        broker.settings.pid_path.unlink()
        await getattr(Local(broker.identities, broker.controller), change)("a")
        async with asyncio.timeout(5):
            await device.lost()


@pytest.mark.parametrize("change", ["remove", "rotate", "suspend"])
async def test_a_change_that_no_supervised_broker_reads_is_not_told_as_done(
    identities: Identities, monkeypatch: pytest.MonkeyPatch, change: str
) -> None:
    monkeypatch.setattr(local, "ACTS_WITHIN", 0.2)
    await asyncio.to_thread(identities.add_device, "a")
    with files.locked(identities.directory / process.LOCK_FILE), pytest.raises(BrokerUnreachable):
        await getattr(Local(identities, Endpoint("127.0.0.1", free_port())), change)("a")


def test_a_mosquitto_that_does_not_listen_for_signals_yet_is_not_ended_by_one(
    identities: Identities, tmp_path: Path
) -> None:
    """It reads its files when it has started, and SIGHUP would end it before."""
    program = tmp_path / "mosquitto"
    program.write_text("#!/bin/sh\nread line\n")
    program.chmod(0o755)
    path = (identities.directory / process.CONFIG_FILE).resolve()
    with subprocess.Popen([program, "-c", path], stdin=subprocess.PIPE) as starting:
        assert process.running(identities.directory) is not None
        assert identities.reload() is False
        starting.communicate(b"\n")
    assert starting.returncode == 0


@pytest.mark.parametrize("change", ["remove", "rotate", "suspend"])
async def test_the_broker_outlives_changes_of_those_who_are_away(broker: RunningBroker, change: str) -> None:
    """Mosquitto 2.0.11 dies within some fifteen rounds if it has to judge their sessions itself."""
    local = Local(broker.identities, broker.controller)
    for number in range(30):
        name = f"d{number}"
        async with joined(await broker.add_device(name), session_expiry_s=3600):
            pass
        await getattr(local, change)(name)
        if change == "suspend":
            await local.resume(name)
    async with joined(broker.controller):
        assert broker.supervisor.restarts == 0
