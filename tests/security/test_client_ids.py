"""Names and sessions: what a client id that is another's brings, with and without a password."""

import pytest

from tests.conformance.fake_device import a_tool
from tests.conformance.wire_peer import Peer, fresh, until
from tests.security.raw import Line
from tests.security.rows import Attacker, Seen, attempt
from tests.security.stand import Stand, let_in


@attempt(
    Attacker.DEVICE,
    "connect with its own credentials and the client id of a device that is connected",
    never="the other loses its line, or its messages come here",
    control="the other device receives and answers its commands",
)
def test_the_client_id_of_who_is_there(stand: Stand, seen: Seen) -> None:
    thief = stand.device(born=False)
    masked = stand.peer(thief, client_id=stand.lamp.id)
    outcome = let_in(masked)
    if outcome == "let in":
        masked.subscribe("#", f"{stand.lamp.topic}/command")
    command = stand.light(stand.lamp)
    masked.close()

    seen.control(command["arguments"] == {"on": True} and not stand.lamp.peer.gone)
    assert not masked.all(f"{stand.lamp.topic}/command")
    seen.became(outcome, "it is itself, whatever it calls itself; the other device notices nothing")


@attempt(
    Attacker.DEVICE,
    "connect with its own credentials and the client id of a device whose commands are queued",
    never="the queued command comes here, or is lost",
    control="its owner comes back and receives it",
)
def test_the_client_id_of_who_is_away(stand: Stand, seen: Seen) -> None:
    thief, victim = stand.device(born=False), stand.device()
    victim.peer.drop()
    stand.overseer.publish(f"{victim.topic}/command", queued := {"id": fresh()})
    masked = stand.peer(thief, client_id=victim.id)
    outcome = let_in(masked)
    if outcome == "let in":
        masked.subscribe(f"{victim.topic}/command")
        stand.overseer.publish(f"{thief.topic}/ack", marker := {"id": fresh()})
        masked.subscribe(f"{thief.topic}/ack")
        stand.overseer.publish(f"{thief.topic}/ack", marker)
        masked.expect(f"{thief.topic}/ack", id=marker["id"])
        masked.close()
    owner = victim.again()
    stand.others.append(owner)
    owner.peer.connect()

    seen.control(owner.peer.expect(f"{victim.topic}/command", id=queued["id"]))
    assert not masked.all(f"{victim.topic}/command")
    seen.became(outcome, "the queue is not this one's; its owner received the command")


@attempt(
    Attacker.DEVICE,
    "connect with its own credentials and the controller's client id",
    never="the controller loses its line",
    control="the controller goes on ordering",
)
def test_the_controllers_client_id(stand: Stand, seen: Seen) -> None:
    thief = stand.device(born=False)
    mark = stand.spy.mark()
    masked = stand.peer(thief, client_id="controller-main")
    outcome = let_in(masked)
    if outcome == "let in":
        masked.subscribe("#")
    path = stand.victim.path()
    made = stand.victim.make(path)
    masked.close()

    seen.control(made["status"] == "succeeded" and path.is_dir())
    assert not stand.spy.all("orion/v1/controllers/main/presence", after=mark)
    assert not [topic for topic in masked.topics() if "victim" in topic]
    seen.became(outcome, "the controller notices nothing")


@attempt(
    Attacker.DEVICE,
    "connect as another name with its own password: {name}",
    never="it is let in",
    control="its own name is let in with this password",
)
@pytest.mark.parametrize("name", ["victim", "controller-main", "controller-overseer", "debug.spy"])
def test_its_password_under_another_name(stand: Stand, seen: Seen, name: str) -> None:
    thief = stand.device(born=False)
    outcome = let_in(Peer(stand.site.port, name, thief.password, client_id=f"x-{fresh()[:8]}"))
    stand.victim.fence()

    assert outcome != "let in"
    seen.control(let_in(stand.peer(thief)) == "let in")
    seen.became(outcome)


@attempt(
    Attacker.DEVICE,
    "hold two sessions of one name, under two client ids",
    never="one command comes twice",
    control="the session that stands receives it once",
)
def test_two_sessions_of_one_name(stand: Stand, seen: Seen) -> None:
    first = stand.device()
    second = stand.peer(first, client_id=f"{first.id}-2")
    outcome = let_in(second)
    second.subscribe(f"{first.topic}/command")
    until(lambda: first.peer.gone, what="the end of the first")
    stand.overseer.publish(f"{first.topic}/command", order := {"id": fresh()})

    seen.control(second.expect(f"{first.topic}/command", id=order["id"]))
    second.close()
    assert not first.peer.all(f"{first.topic}/command", id=order["id"])
    seen.became(outcome, "the first one is ended: one name, one session")


@attempt(
    Attacker.DEVICE,
    "connect with no client id at all",
    never="it is given another's session, or a second one of its own",
    control="it is given the session of its own name",
)
def test_no_client_id(stand: Stand, seen: Seen) -> None:
    owner = stand.device()
    owner.close()
    stand.overseer.publish(f"{owner.topic}/command", queued := {"id": fresh()})
    with Line(stand.site.port) as line:
        code = line.connect("", owner.id, owner.password, clean=False)
        assert code == 0
        came = line.published()

    seen.control(any(queued["id"].encode() in body for body in came))
    assert len(came) == 1
    seen.became("let in", "it is the session of its name, and no other")


STRANGERS = {
    "no name and no password": (None, None),
    "its name and no password": ("lamp", None),
    "its name and an empty password": ("lamp", ""),
    "its name and a wrong password": ("lamp", "wrong"),
    "a name that nobody has": ("nobody", "wrong"),
    "the controller's name and a wrong password": ("controller-main", "wrong"),
}
IMPOSTORS = list(STRANGERS)[1:]  # of who says no name at all, see `test_lost_sessions`


@attempt(
    Attacker.NOTHING,
    "connect with {whose}, under a client id of its own",
    never="it is let in",
    control="the device of that installation is let in with its password",
)
@pytest.mark.parametrize("whose", STRANGERS)
def test_without_a_password(stand: Stand, seen: Seen, whose: str) -> None:
    name, password = STRANGERS[whose]
    outcome = let_in(Peer(stand.site.port, name, password, client_id=f"stranger-{fresh()[:8]}"))

    assert outcome != "let in"
    seen.control(let_in(stand.peer(stand.device(born=False))) == "let in")
    seen.became(outcome)


@attempt(
    Attacker.NOTHING,
    "connect with {whose}, under the client id of a device that is connected",
    never="that device loses its line, its session or a command",
    control="that device receives its commands",
)
@pytest.mark.parametrize("whose", IMPOSTORS)
def test_a_victims_client_id_without_a_password(stand: Stand, seen: Seen, whose: str) -> None:
    victim = stand.device()
    name, password = STRANGERS[whose]
    name = victim.id if name == "lamp" else name
    outcome = let_in(Peer(stand.site.port, name, password, client_id=victim.id))
    assert outcome != "let in"
    command = stand.light(victim)

    seen.control(command["arguments"] == {"on": True})
    assert not victim.peer.gone
    seen.became(outcome, "the device notices nothing")


@attempt(
    Attacker.NOTHING,
    "connect with {whose}, under the client id of a device that is away",
    never="a command that is queued for it is lost for good",
    control="the device comes back and receives it",
)
@pytest.mark.parametrize("whose", IMPOSTORS)
def test_the_session_of_who_is_away(stand: Stand, seen: Seen, whose: str) -> None:
    victim = stand.device()
    victim.peer.drop()
    ordered = stand.order(victim.id, "light", wait=0, on=True)
    stand.spy.expect(f"{victim.topic}/command", id=ordered["command_id"])
    name, password = STRANGERS[whose]
    name = victim.id if name == "lamp" else name
    outcome = let_in(Peer(stand.site.port, name, password, client_id=victim.id))
    assert outcome != "let in"
    owner = victim.again()
    stand.others.append(owner)
    owner.birth([a_tool()])
    command = owner.expect_command(within=15, id=ordered["command_id"]).json()
    owner.reply(command, "succeeded", result={})
    owner.fence()

    seen.control(stand.http.get(f"commands/{ordered['command_id']}").json()["status"] == "succeeded")
    seen.became(outcome, "the queue is kept")
