"""The judgement: what the marks, the ledgers and the wire say, against what Orion says.

Every sentence of it is a way to go red. Whatever the product claims is believed only where
something outside of it agrees.
"""

import asyncio
import json
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
from sqlalchemy import select
from sqlmodel import Session

from controller.services import proof
from controller.store import engine
from controller.store.tables import METADATA
from tests.faults import marks
from tests.faults.ledger import Noted
from tests.faults.marks import Marks
from tests.faults.stand import Stand, journal_rows, stored_rows

FINAL = frozenset({"succeeded", "failed", "denied", "rejected", "expired", "cancelled", "interrupted"})
WITHOUT_EFFECT = frozenset({"rejected", "expired", "cancelled", "denied", "failed"})
NEVER = datetime.max.replace(tzinfo=UTC)
TOLD = 5  # examples a fault names

_AUDIT, _EVENTS = METADATA.tables["audit_log"], METADATA.tables["events"]
_ENDED = "SELECT id, reply FROM commands WHERE reply IS NOT NULL"


@dataclass(slots=True)
class Judgement:
    """What was found. Green when there are no faults."""

    faults: list[str] = field(default_factory=list)
    figures: dict[str, int] = field(default_factory=dict)

    @property
    def green(self) -> bool:
        return not self.faults

    def unless(self, wrong: Any, sentence: str) -> None:
        """Note a fault, with examples, if there is anything wrong."""
        found = list(wrong)
        if found:
            examples = ", ".join(str(one) for one in found[:TOLD])
            self.faults.append(f"{sentence}: {len(found)} ({examples})")


@dataclass(frozen=True, slots=True)
class Row:
    """A command as the controller's database has it."""

    id: str
    device_id: str
    tool: str
    status: str
    number: int
    is_group: bool  # an order to a group: its children have the effects
    has_parent: bool
    ended_at: datetime


@dataclass(frozen=True, slots=True)
class Word:
    """A device's final word on a command, and when it was said first."""

    status: str
    at: datetime


def noted(folder: Path) -> Noted:
    """The events as the nodes' own notes have them."""
    return Noted.read(folder / "events")


def unsettled(on: Stand) -> list[str]:
    """What has not come to rest, in sentences."""
    found = [f"command {row.id} is {row.status}" for row in _rows(on) if row.status not in FINAL]
    stored = {key for _, key in _stored(on)}
    found += [f"event {key} is not stored" for key in noted(on.folder).kept if key not in stored]
    return found


async def judge(on: Stand, still_open: list[str]) -> Judgement:
    """Judge a run that has come to rest."""
    found = await asyncio.to_thread(books, on)
    found.unless(still_open, "did not come to rest")
    await _api(found, on)
    return found


def books(on: Stand) -> Judgement:
    """Judge by what was written down: marks, notes, journals, database."""
    found = Judgement()
    table = {row.id: row for row in _rows(on)}
    effects = Marks.read(on.folder / "marks").counts
    _orders(found, on, table)
    _effects(found, on, table, effects)
    _events(found, on)
    _words(found, on, table)
    _audit(found, on, table)
    statuses = Counter(row.status for row in table.values() if not row.is_group)
    found.figures |= {f"commands {status}": count for status, count in sorted(statuses.items())}
    return found


def _orders(found: Judgement, on: Stand, table: dict[str, Row]) -> None:
    ledger = on.ledger
    looks = set(ledger.asks.values())
    found.unless((one for one in ledger.returned if one not in table), "returned submits are lost")
    asked = Counter(row.number for row in table.values() if not row.has_parent and row.number not in looks)
    found.unless((one for one, times in asked.items() if times > 1), "one submit made several commands")
    numbers = {row.number for row in table.values()}
    found.unless(numbers - set(ledger.tried), "commands that nobody submitted")
    known = {what.number for what in ledger.returned.values()} | ledger.cut | looks
    found.unless(numbers - known, "commands whose submit was refused")
    shares = Counter((row.number, row.device_id) for row in table.values() if row.has_parent)
    found.unless(
        (one for one, times in shares.items() if times > 1), "a device got an order to a group twice"
    )
    whole = {number for number, device in shares}
    partial = (one for one in whole if sum(number == one for number, _ in shares) != len(on.nodes))
    found.unless(partial, "an order to a group did not reach every device of it")
    found.figures["submits that returned"] = len(ledger.returned)
    found.figures["submits whose answer was cut"] = len(ledger.cut)
    found.figures["of these, commands that exist"] = len(ledger.cut & set(asked))
    found.figures["commands, with those of groups and conditions"] = len(table)
    found.figures["cancels taken"] = len(ledger.cancelled)
    found.figures["orders that could wait for their device"] = len(ledger.waiting & set(asked))
    found.figures["orders with a condition"] = len(ledger.asks.keys() & set(asked))
    found.figures["orders to a group"] = len(ledger.groups & set(asked))


def _effects(found: Judgement, on: Stand, table: dict[str, Row], effects: Counter[str]) -> None:
    found.unless((one for one in effects if one not in table), "effects of commands that do not exist")
    doubled = [one for one, times in effects.items() if times > 1 and one in table]
    once = [one for one in doubled if table[one].tool not in marks.RESUMABLE]
    found.unless(once, "took effect more than once")
    for row in table.values():
        took = row.id in effects
        if row.is_group:
            continue
        if row.status == "succeeded" and not took:
            found.unless([row.id], "succeeded without effect")
        if row.status in WITHOUT_EFFECT and took:
            found.unless([row.id], f"{row.status}, and took effect")
    _conditions(found, on, table, effects)
    by_status = Counter(table[one].status for one in effects if one in table)
    found.figures["effects"] = len(effects)
    found.figures["effects of succeeded commands"] = by_status["succeeded"]
    found.figures["effects of interrupted commands"] = by_status["interrupted"]
    found.figures["resumable commands that ran again"] = len(doubled) - len(once)
    if len(effects) != by_status["succeeded"] + by_status["interrupted"]:
        found.faults.append("effects are not those of succeeded and interrupted commands")


def _conditions(found: Judgement, on: Stand, table: dict[str, Row], effects: Counter[str]) -> None:
    """What ran on a condition ran after a look that answered true."""
    ran = {row.number for row in table.values() if row.id in effects}
    looked = {row.number for row in table.values() if row.id in effects and row.status == "succeeded"}
    asks = on.ledger.asks
    found.unless((one for one in ran & asks.keys() if asks[one] not in looked), "ran without a look before")
    found.unless(ran & on.ledger.refused, "ran though its condition is never true")


def _events(found: Judgement, on: Stand) -> None:
    notes = noted(on.folder)
    stored = _stored(on)
    times = Counter(key for _, key in stored)
    found.unless((key for key in notes.kept if key not in times), "kept events are lost")
    found.unless((key for key, count in times.items() if count > 1), "events stored more than once")
    found.unless((key for key in times if key not in notes.tried), "stored events that nobody produced")
    wrong = (key for device, key in stored if notes.tried.get(key, device) != device)
    found.unless(wrong, "events under another device's name")
    found.figures["events kept by a node"] = len(notes.kept)
    found.figures["events stored"] = len(stored)


def _words(found: Judgement, on: Stand, table: dict[str, Row]) -> None:
    """What the devices said, on the wire and in their own journals, against what stands."""
    heard = on.ledger.finals
    found.unless(
        (f"{one}: {sorted(said)}" for one, said in heard.items() if len(said) > 1),
        "a device contradicted its own final reply",
    )
    known = _journals(on)
    for row in table.values():
        own = known.get(row.id)
        said = heard.get(row.id, set()) | ({own.status} if own else set())
        if row.is_group:
            continue
        unheard = row.status == "rejected" and not said  # by a node that could not write it down
        if row.status in ("succeeded", "failed", "rejected") and said != {row.status} and not unheard:
            found.unless([f"{row.id}: {sorted(said)}"], f"{row.status}, and its device did not say so")
        if row.status == "interrupted" and own and own.status != "interrupted" and own.at < row.ended_at:
            found.unless([f"{row.id}: {own.status}"], "given up, though its device knew its end")
    alone = (row for row in table.values() if not row.is_group and row.id not in known)
    gave_up = sum(row.status == "interrupted" for row in alone)
    found.figures["interrupted, said by the controller alone"] = gave_up


def _journals(on: Stand) -> dict[str, Word]:
    """What the devices have as the end of each command, in their own journals."""
    found: dict[str, Word] = {}
    for name in on.nodes:
        for one, text in journal_rows(on.journal_of(name), _ENDED):
            reply = json.loads(text)
            found[one] = Word(str(reply["status"]), datetime.fromisoformat(reply["at"]))
    return found


def _audit(found: Judgement, on: Stand, table: dict[str, Row]) -> None:
    audited = select(_AUDIT.c.number, _AUDIT.c.action, _AUDIT.c.command_id).order_by(_AUDIT.c.number)
    entries = stored_rows(on, audited)
    numbers = [entry.number for entry in entries]
    # a server's numbers have holes; that no row is missing its chain says
    if engine.kind_of(on.database) == engine.SQLITE and numbers != list(range(1, len(numbers) + 1)):
        found.faults.append("the audit's numbers have holes or doubles")
    reader = engine.reader(on.database)
    try:
        chains = proof.walk(proof.Stored(lambda: Session(reader)), (), believed=frozenset())
    finally:
        reader.dispose()
    found.unless(
        (each.fault for each in chains if each.fault is not None), "rows of the audit that do not fit"
    )
    ends: defaultdict[str, list[str]] = defaultdict(list)
    for _, action, command_id in entries:
        if command_id and action.removeprefix("command.") in FINAL and action.startswith("command."):
            ends[command_id].append(action.removeprefix("command."))
    found.unless(
        (f"{row.id}: {ends[row.id]}" for row in table.values() if ends[row.id] != [row.status]),
        "commands without exactly one final entry in the audit",
    )
    found.unless((one for one in ends if one not in table), "ends in the audit of no command")
    found.figures["audit rows"] = len(entries)


async def _api(found: Judgement, on: Stand) -> None:
    """The API says of each returned submit what the database says."""
    table = {row.id: row for row in await asyncio.to_thread(_rows, on)}
    wrong: list[str] = []
    for one in on.ledger.returned:
        try:
            answer = await on.client.get(f"/commands/{one}")
            said = answer.json().get("status")
        except httpx.HTTPError as error:
            said = repr(error)
        if one not in table or said != table[one].status:
            wrong.append(f"{one}: {said}")
    found.unless(wrong, "the API says something else than the database")


def _rows(on: Stand) -> list[Row]:
    return [
        Row(
            each.id,
            each.device_id,
            each.tool_name,
            each.status,
            each.parameters["number"],
            each.group_name is not None,
            each.parent_id is not None,
            each.finished_at or NEVER,
        )
        for each in stored_rows(on, select(METADATA.tables["tool_executions"]))
    ]


def _stored(on: Stand) -> list[tuple[str, str]]:
    noted = select(_EVENTS.c.device_id, _EVENTS.c.data).where(_EVENTS.c.event_type == "harness_noted")
    return [(each.device_id, each.data["key"]) for each in stored_rows(on, noted)]
