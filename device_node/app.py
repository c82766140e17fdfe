"""The node's composition root: builds the parts, one TaskGroup, a clean stop.

`run` returns the exit code: 0 after a stop, `RESTART` when a command asked for a restart
and the launcher should start the node again.
"""

import asyncio
import contextlib
import logging
from collections.abc import Callable
from datetime import datetime
from functools import partial
from pathlib import Path

from device_node import clock, profile
from device_node.acks import Acks
from device_node.complaints import Complaints
from device_node.events import Events
from device_node.intake import Intake
from device_node.journal import Journal, JournalUnusable, Limits
from device_node.link import Link, Renew, stay_the_same
from device_node.mending import Mending
from device_node.refusals import Refusals
from device_node.replies import Replies
from device_node.reserve import Reserve
from device_node.runner import Runner
from device_node.safety.errors import ToolError
from device_node.safety.policy import LocalPolicy, PolicyError
from device_node.settings import NodeSettings
from device_node.sleep import Pulse, Watcher
from device_node.spool import Spool
from device_node.tools import trash, unfinished
from device_node.tools.tool import NodeContext, Result
from device_node.trust import Keep, Trust, keep_nowhere
from schemas.context import mark
from schemas.devices import Profile
from schemas.errors import ErrorCode
from schemas.events import Severity
from schemas.ids import new_id
from schemas.spans import Spans
from schemas.topics import Kind, Topics
from schemas.wire import JsonObject

logger = logging.getLogger(__name__)

RESTART = 75  # exit code (EX_TEMPFAIL): start me again
WIND_DOWN_WITHIN = 2.5  # seconds for running tools to stop
FORGET_EVERY = 3_600.0  # seconds
# What an installation keeps for itself in its data folder; the owner's `files` stand beside it.
OWN = ("broker", "controller", "node", "orion.toml", "up.lock")
LAST_WORD_WITHIN = 2.0  # seconds for the reply of `restart_node` to reach the broker


class Control:
    """What tools may do with the program around them. Called from the tools' threads."""

    can_update = False

    def __init__(self, policy_path: Path, stop: asyncio.Event) -> None:
        self.restart_wanted = False
        self.context: NodeContext | None = None
        self.link: Link | None = None
        self._policy_path = policy_path
        self._stop = stop
        self._loop = asyncio.get_running_loop()
        self._last_word: asyncio.Task[None] | None = None

    def restart(self) -> None:
        """The program stops once the reply has left."""
        self.restart_wanted = True

    def reload(self) -> Result:
        """Read the policy again and say it in a new profile; a wrong file changes nothing."""
        if self.context is None or self.link is None:
            raise ToolError(ErrorCode.BUSY, "The node is still starting.")
        try:
            policy = LocalPolicy.load(self._policy_path)
        except PolicyError as error:
            raise ToolError(ErrorCode.INVALID_ARGUMENTS, f"The old rules stay: {error}.") from error
        self.context.policy = policy
        asyncio.run_coroutine_threadsafe(self.link.publish_profile(), self._loop)
        return {
            "allowed_paths": list(policy.allowed_paths),
            "allowed_apps": sorted(policy.allowed_apps),
        }

    def update(self) -> Result:
        """Never asked: `can_update` is False."""
        raise ToolError(ErrorCode.NOT_SUPPORTED, "This node cannot update itself.")

    def settled(self, sent: asyncio.Future[int] | None) -> None:
        """After each final reply, on the event loop: stop for a restart when this one was its reply."""
        if self.restart_wanted and self._last_word is None:
            self._last_word = asyncio.create_task(self._stop_after(sent), name="last-word")

    async def _stop_after(self, sent: asyncio.Future[int] | None) -> None:
        if sent is not None:
            await asyncio.wait((sent,), timeout=LAST_WORD_WITHIN)
        self._stop.set()


async def run(
    settings: NodeSettings,
    stop: asyncio.Event,
    *,
    own_time: Callable[[], datetime] = clock.own_time,
    pulse: Pulse | None = None,
    keep_keys: Keep = keep_nowhere,
    renew: Renew = stay_the_same,
    spans: Spans | None = None,
) -> int:
    """Be the node until `stop`; the exit code says whether to start again.

    `own_time` is the device's own clock, right or wrong; `pulse` notices when the machine slept;
    `keep_keys` makes durable what the controller will sign with; `renew` is who this device is now, if it
    was enrolled and has joined anew since the start.

    Raises:
        PolicyError: the owner's policy file cannot be used.
        JournalInUse: another node runs with the same data folder.
    """
    boot_id = new_id()
    mark(device_id=settings.device_id)
    topics = Topics(settings.prefix)
    control = Control(settings.policy_path, stop)
    pulse = pulse or Pulse()
    time = clock.Clock(own=own_time, waited=pulse.waited)
    context = await asyncio.to_thread(_prepare, settings, control, time)
    limits = Limits(spooled=settings.max_spooled, spooled_bytes=settings.max_spooled_bytes)
    journal = Journal(settings.directory / "journal.db", limits)
    complaints = Complaints()
    spool = Spool(journal)
    events = Events(
        topics.device(settings.device_id, Kind.EVENT), journal, spool, now=time.now, made=time.made
    )
    refusals = Refusals(Reserve(settings.directory / "refused"), spool)

    trust = Trust(
        settings.controller_keys,
        complaints,
        clock=time,
        keep=keep_keys,
        report=partial(_tell_forged, events),
    )

    acks = Acks(trust, time, spool, complaints)

    async def say_what_we_are() -> Profile:
        return await asyncio.to_thread(
            profile.build, settings.device_id, boot_id, context, name=settings.name
        )

    link = Link(settings, boot_id, spool, say_what_we_are, now=time.own, renew=_renewing(trust, time, renew))
    control.context, control.link = context, link
    runner = Runner(
        intake=Intake(settings.device_id, topics, complaints, time),
        trust=trust,
        journal=journal,
        replies=Replies(boot_id, journal, spool, link.send, now=time.now, made=time.made),
        refusals=refusals,
        context=context,
        clock=time,
        max_running=settings.max_running,
        max_waiting=settings.max_waiting,
        settled=control.settled,
        spans=spans or Spans(),
    )

    def ready() -> None:
        if journal.trouble is None:
            logger.info("Node %s ready; waiting for an Ack: %d", settings.device_id, len(spool))
        else:
            logger.warning("Node %s is online and refuses commands", settings.device_id)

    async def recover() -> None:
        await time.load(journal)
        if settings.joined_at is not None:
            time.passed(settings.joined_at, arrived_at=time.steady())
        await spool.load()
        await runner.recover()

    mending = Mending(journal, events, refusals, recover)
    try:
        whole = await refusals.load(runner.refused_before)
        await mending.begin()
        if not whole:
            await mending.tell_of_lost_refusals()
        async with asyncio.TaskGroup() as group:
            helpers = [
                group.create_task(runner.work(), name="runner"),
                group.create_task(mending.run(), name="mending"),
                group.create_task(_forget(journal, context, time), name="forget"),
                group.create_task(clock.keep(time, journal), name="clock"),
                group.create_task(Watcher(pulse, link, runner).run(), name="sleep"),
            ]
            await link.run(
                {Kind.COMMAND: runner.command, Kind.CANCEL: runner.cancel, Kind.ACK: acks.take},
                states={topics.keys(): trust.hear} if trust.enrolled else {},
                stop=stop,
                ready=ready,
                wind_down=lambda: runner.wind_down(within_s=WIND_DOWN_WITHIN),
            )
            # without a line there was nobody to wind down for, but what runs must end all the same
            await runner.wind_down(within_s=WIND_DOWN_WITHIN)
            for helper in helpers:
                helper.cancel()
    finally:
        with contextlib.suppress(JournalUnusable):
            await time.save(journal)
        await journal.close()
    logger.info("Node %s stopped", settings.device_id)
    return RESTART if control.restart_wanted else 0


def _prepare(settings: NodeSettings, control: Control, time: clock.Clock) -> NodeContext:
    policy = LocalPolicy.load(settings.policy_path)
    with contextlib.suppress(OSError):  # the journal tells of it
        settings.directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    context = NodeContext(
        policy=policy,
        data_dir=settings.directory,
        control=control,
        now=time.now,
        own=(*(settings.data_dir / name for name in OWN), settings.policy_path),
    )
    unfinished.recover(context)
    return context


def _renewing(trust: Trust, time: clock.Clock, renew: Renew) -> Renew:
    """Believe whom a device that has joined anew was told to believe, before it connects as that."""

    async def renewed() -> NodeSettings | None:
        known = await renew() if trust.enrolled else None
        if known is not None:
            trust.renew(known.controller_keys)
            if known.joined_at is not None:
                time.passed(known.joined_at, arrived_at=time.steady())
            logger.info("%s has joined anew, and uses what it was given", known.device_id)
        return known

    return renewed


async def _tell_forged(events: Events, topic: str, reason: str) -> None:
    kind = topic.rpartition("/")[2]
    data: JsonObject = {"code": ErrorCode.BAD_SIGNATURE.value, "kind": kind, "reason": reason}
    with contextlib.suppress(JournalUnusable):  # it is counted and logged all the same
        await events.report("error_occurred", Severity.CRITICAL, data)


async def _forget(journal: Journal, context: NodeContext, time: clock.Clock) -> None:
    """Let go of what is kept for a while only: old ids, the trash, what can be undone."""
    while True:
        try:
            await journal.forget(now=time.mark)
            await asyncio.to_thread(trash.purge, context, time.now())
        except JournalUnusable as trouble:
            logger.debug("Could not tidy up: %s", trouble)  # `Mending` has told of it
        except (OSError, ToolError) as error:
            logger.warning("Could not tidy up, and will try again: %s", error)
        await asyncio.sleep(FORGET_EVERY)
