"""Whoever keeps the contract passes, and each fault is found by the check that is about it."""

import asyncio
from dataclasses import dataclass
from pathlib import Path

import pytest

from orion import conform
from orion.conform import Finding
from tests.broker.running import RunningBroker, running_broker
from tests.examples import lamps
from tests.examples.lamps import Lamp
from tests.orion import examined

AT_ONCE = 6  # lamps that are examined together

ONLY_WITH_KEYS = {"signing.signs", "signing.unsigned", "signing.forged"}
RUNS = "if known and known[2]: client.publish(reply_to, known[2], 1)"
CANCEL_AGAIN = "if known and known[2]: client.publish(known[1], known[2], 1)"
REPLY = "told(command_id=name, status=status, **more)]"
BEAT = "told(seq=seq, uptime_s=time.monotonic() - STARTED), 0, retain=True)"
PROFILE = 'born = client.publish(f"{D}/profile", told(device_id=ME, tools=TOOLS), 1, retain=True)'
ONLINE = 'client.publish(f"{D}/presence", told(state="online"), 1, retain=True)'


@dataclass(frozen=True)
class Fault:
    """One thing that a lamp does wrong, as a change of its text, and the checks that are about that."""

    change: dict[str, str]
    found_by: frozenset[str]
    cut: bool = False  # it shows only when the lamp is cut off


def _fault(whole: str, faulty: str, *found_by: str, cut: bool = False) -> Fault:
    return Fault({whole: faulty}, frozenset(found_by), cut)


FAULTS = {
    "presence is not retained": _fault(ONLINE, ONLINE.replace("True", "False"), "birth.presence"),
    "presence is of another life": _fault(ONLINE, ONLINE.replace("told(", "told2("), "birth.boot_id"),
    "the profile is of another device": _fault(PROFILE, PROFILE.replace("=ME", "='x'"), "birth.device_id"),
    "the profile lists a tool without a name": _fault('[{"name": "light", ', '[{"nome": "light", ', "birth.profile"),
    "a tool's schema is none": _fault('{"type": "boolean"}', '{"type": "bool"}', "birth.tools"),
    "a repeated command is not answered": _fault(RUNS, "if known and known[2]: pass", "commands.repeated"),
    "a repeated command runs again": _fault(
        RUNS, 'if known and known[2] and tool not in FITS: client.publish(reply_to, known[2], 1)\n'
        '    elif known and known[2] and time.sleep(0.01): pass\n'
        '    elif known and known[2]: answer(*asked, "succeeded", result={"uptime_s": time.monotonic()})',
        "commands.once",
    ),
    "another content counts": _fault(
        RUNS, RUNS.replace("known[2]:", "known[2] and tool in FITS:") + "\n    elif known and known[2] and tool not in "
        'FITS: answer(*asked, "rejected", "unknown_tool", "A lamp has no such tool.")',
        "commands.first_counts", "replies.one_final",
    ),
    "unknown fields make it fail": _fault(
        "if fits and not", 'if fits and "later" not in said and not', "commands.unknown_fields"
    ),
    "an unknown tool is not told as one": _fault('"unknown_tool"', '"not_found"', "commands.unknown_tool"),
    "arguments are not looked at": _fault(
        "elif not FITS[tool]", "elif False and not FITS[tool]", "commands.invalid_arguments"
    ),
    "it answers wherever it is told to": _fault(
        'if not re.fullmatch(D + r"/reply/[A-Za-z0-9_-]{1,64}", reply_to) or len(name) > 64: return',
        "if not reply_to: return", "commands.reply_to",
    ),
    "expiry is not looked at": _fault("elif until <= now() or deadline", "elif deadline", "commands.expired"),
    "a retained command runs": _fault("and not message.retain ", "", "commands.retained"),
    "an early cancel is forgotten": _fault(
        'kept["known"][name] = [said["expires_at"], 0, 0]', "pass", "cancels.before"
    ),
    "a late cancel is not answered": _fault(CANCEL_AGAIN, "if known and known[2]: pass", "cancels.after"),
    "an expired cancel cancels": _fault(
        'elif said["expires_at"] > now() and deadline > time.monotonic(): kept["known"][name] = [said["expires_at"], 0, 0]',
        'else: kept["known"][name] = ["9999", 0, 0]', "cancels.expired",
    ),
    "bad JSON is its end": _fault("except (ValueError, TypeError,", "except (TypeError,", "robustness.commands"),
    "a bad Ack is its end": _fault(
        "def ack(said, deadline):\n", 'def ack(said, deadline):\n    if said.get("replies") == 7: os._exit(1)\n',
        "robustness.acks",
    ),
    "it has no heartbeat": _fault("if born and time.monotonic() >= beat_at", "if False", "heartbeats.period"),
    "heartbeats are of another life": _fault(BEAT, BEAT.replace("told(", "told2("), "heartbeats.fields"),
    "heartbeats are not retained": _fault(BEAT, BEAT.replace("True", "False"), "heartbeats.flags"),
    "heartbeats do not count": _fault("seq, beat_at = seq + 1,", "seq, beat_at = seq,", "heartbeats.seq"),
    "it answers elsewhere": _fault(
        'promise(name, *kept["known"][name][1:])', 'promise(name, D + "/reply/other", kept["known"][name][2])',
        "replies.topic",
    ),
    "a reply has a field of another type": _fault(REPLY, REPLY.replace("status,", 'status, message=7,'), "replies.fields"),
    "a reply has a code of its own": _fault(
        'if code else {}\n', 'if code else {}\n    if code == "expired": more["error"]["code"] = "too_late"\n',
        "replies.fields",
    ),
    "replies are of another life": _fault(REPLY, REPLY.replace("told(", "told2("), "replies.boot_id"),
    "replies are retained": _fault(
        "if born: client.publish(topic, payload, 1)", "if born: client.publish(topic, payload, 1, True)", "replies.flags"
    ),
    "an answer is said again after its Ack": _fault(
        "                seq, beat_at =", '                [client.publish(one[1], one[2], 1) for one in kept["known"].values() if one[2]]\n'
        "                seq, beat_at =", "replies.acked",
    ),
    "times have no milliseconds": _fault('{"at": now(),', '{"at": now()[:19] + "Z",', "times.form"),
    "it has no will": _fault(
        'client.will_set(f"{D}/presence",', 'client.will_set(f"{D}/event",', "leaving.will", cut=True
    ),
    "its will names another life": _fault(
        'told(state="offline", reason="connection_lost")', 'told2(state="offline", reason="connection_lost")',
        "leaving.will", cut=True,
    ),
    "presence comes before the profile": _fault(
        PROFILE + "\n    " + ONLINE, ONLINE + "\n    " + PROFILE, "leaving.returns", cut=True
    ),
    "it forgets what was not acked": _fault(
        'for _, topic, payload in kept["unacked"]: client.publish(topic, payload, 1)', "pass", "leaving.spool", cut=True
    ),
}  # fmt: skip
ANOTHER_LIFE = {
    "def keep():": 'def told2(**message): return json.dumps(message | {"at": now(), "boot_id": "another"})\ndef keep():'
}

Findings = dict[str, dict[str, Finding]]


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> Findings:
    """What was found about each faulty lamp."""
    return asyncio.run(_examine_all(tmp_path_factory.mktemp("lamps")))


async def _examine_all(folder: Path) -> Findings:
    free = asyncio.Semaphore(AT_ONCE)

    async def one(broker: RunningBroker, name: str, lamp: Lamp, fault: Fault) -> dict[str, Finding]:
        async with free:
            return await examined.examined(broker, name, lamp, cut=fault.cut)

    async with running_broker(examined.a_folder(folder, "broker")) as broker, asyncio.TaskGroup() as group:
        found = {}
        for number, (what, fault) in enumerate(FAULTS.items()):
            name = f"lamp-{number}"
            place = await broker.add_device(name)
            await examined.examiner(broker, name)
            source = lamps.with_faults(fault.change | ANOTHER_LIFE)
            where = examined.a_folder(folder, name)
            lamp = lamps.of_paho(broker.settings.port, name, place.password or "", where, source=source)
            found[what] = group.create_task(one(broker, name, lamp, fault))
    return {what: task.result() for what, task in found.items()}


@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_is_found_by_the_check_that_is_about_it(found: Findings, name: str) -> None:
    assert examined.broken(found[name]).keys() == FAULTS[name].found_by, examined.broken(found[name])


async def test_the_lamp_of_mqtt_5_passes_also_when_it_is_cut_off(
    broker: RunningBroker, tmp_path: Path
) -> None:
    place = await broker.add_device("lamp")
    lamp = lamps.of_paho(broker.settings.port, "lamp", place.password or "", tmp_path)

    found = await examined.examined(broker, "lamp", lamp, cut=True)

    assert not examined.broken(found)
    assert {check.name for check in conform.CHECKS} - examined.passed(found) == ONLY_WITH_KEYS | {
        "replies.resent"
    }


@pytest.mark.parametrize("board", lamps.boards())
async def test_the_lamp_of_a_microcontroller_passes_also_when_it_is_cut_off(
    broker: RunningBroker, tmp_path: Path, board: str
) -> None:
    place = await broker.add_device("lamp")
    lamp = lamps.of_micropython(broker.settings.port, "lamp", place.password or "", tmp_path, board=board)

    found = await examined.examined(broker, "lamp", lamp, mqtt3=True, cut=True)

    assert not examined.broken(found), lamp.said()
    untried = {check.name for check in conform.CHECKS} - examined.passed(found)
    assert untried == ONLY_WITH_KEYS | {"replies.resent", "commands.retained"}


def test_there_is_a_fault_for_every_check_that_a_device_without_keys_can_break() -> None:
    tried = set().union(*(fault.found_by for fault in FAULTS.values()))
    every = {check.name for check in conform.CHECKS}

    # the first three are shown by what stands in their place; a reply that never comes again breaks `leaving.spool`
    assert every - tried == ONLY_WITH_KEYS | {
        "commands.answered",
        "commands.accepted",
        "robustness.cancels",
        "replies.resent",
    }
