"""The controller, put together: builds the parts, runs them in one TaskGroup, stops cleanly."""

import asyncio
import logging
import socket
import time
from collections.abc import Callable
from datetime import timedelta
from functools import partial

from controller.api import app as http
from controller.api import token
from controller.api.access import opening as access
from controller.api.access.buckets import Quota
from controller.api.access.deviceflow import DeviceFlow
from controller.api.access.doorkeeper import Doorkeeper
from controller.api.access.passes import Passes
from controller.api.deps import Parts
from controller.api.lately import Lately
from controller.api.live.hub import Hub
from controller.api.live.websocket import Door
from controller.archivist import Archivist
from controller.assistant.chat import Assistant
from controller.assistant.offline import Planner
from controller.assistant.providers.metered import Metered
from controller.assistant.providers.ollama import Ollama, OllamaConfig
from controller.cleaner import Cleaner
from controller.copyist import Copyist, Plan
from controller.historian import Historian
from controller.instruments import Instruments
from controller.mqtt import identity
from controller.mqtt.complaints import Complaints
from controller.mqtt.inbox import Inbox, utc_now
from controller.mqtt.joining import Host, Joining
from controller.mqtt.link import Link
from controller.mqtt.meter import Allowance
from controller.mqtt.outbox import Outbox
from controller.mqtt.people import People
from controller.mqtt.trust import Trust
from controller.mqtt.warden import Warden
from controller.notary import Notary
from controller.pacer import Pacer
from controller.scheduler import Job, Scheduler
from controller.services import devices, users
from controller.services.replies import Replies
from controller.services.retention import Keep
from controller.settings import ControllerSettings
from controller.spans import CommandSpans
from controller.store import notices, opening
from controller.store.backups import Source
from controller.store.keyring import KeyRing
from controller.store.store import HouseRules, Store
from controller.store.tokenring import TokenRing
from schemas.spans import Spans
from schemas.topics import Topics

logger = logging.getLogger(__name__)

STOP_WITHIN = 4.0  # seconds
MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)


class _Stopped(Exception):
    """The work is over; the way to end a TaskGroup."""


async def run(
    settings: ControllerSettings,
    stop: asyncio.Event,
    ready: Callable[[int], None] = lambda _port: None,
    spans: Spans | None = None,
) -> None:
    """Serve until `stop`; `ready` is told the HTTP port once the broker is reached too, `spans` what is done.

    Raises:
        AddressTaken: another program listens on the HTTP port.
    """
    listener = http.bind(settings.http_host, settings.http_port)
    try:
        rules = HouseRules(settings.instance, settings.mqtt_max_risk, settings.mqtt_decisions)
        make = partial(opening.made, settings.database_url, rules)
        store = await asyncio.to_thread(make, directory=settings.directory, heads=settings.heads_path)
        try:
            if await opening.opened(store, stop):
                http.listen(listener)
                await _serve(settings, store, listener, stop, ready, spans or Spans())
        finally:
            await asyncio.to_thread(store.close)
    finally:
        listener.close()


async def _serve(
    settings: ControllerSettings,
    store: Store,
    listener: socket.socket,
    stop: asyncio.Event,
    ready: Callable[[int], None],
    spans: Spans,
) -> None:
    ring = TokenRing(settings.token_keys_path, utc_now, issuer=f"orion/{settings.instance}")
    await asyncio.to_thread(ring.open)
    doorkeeper = Doorkeeper(store, ring, clock=time.monotonic, now=utc_now)
    elsewhere = await asyncio.to_thread(access.elsewhere, settings, store, now=utc_now)
    topics = Topics(settings.prefix)
    replies = Replies()
    instruments = Instruments()
    keyring = KeyRing(settings.keys_path, utc_now)
    known = await store.ask(devices.public_keys)
    enrolled = sorted(device_id for device_id, key in known.items() if key is not None)
    await asyncio.to_thread(keyring.open, enrolled=enrolled)
    trust = Trust(store, allow_unsigned=settings.allow_unsigned, now=utc_now)
    outbox = Outbox(store, topics, instance=settings.instance, keyring=keyring, instruments=instruments)
    administration = identity.administration_of(settings)
    complaints = Complaints()
    host = Host(administration, keyring, settings.ca_path)
    joining = Joining(store, topics, host, complaints, say=outbox.say_join, now=utc_now)
    inbox = Inbox(
        store,
        outbox,
        topics,
        trust=trust,
        join=joining.take,
        complaints=complaints,
        allowance=Allowance(settings.device_rate, settings.device_bytes),
        max_skew_s=settings.max_skew_s,
        instruments=instruments,
    )
    link = Link(
        settings.endpoint,
        instance=settings.instance,
        topics=topics,
        inbox=inbox,
        outbox=outbox,
        password=identity.own_password(settings),
    )
    warden = Warden(
        store,
        inbox.floods,
        administration,
        pause_s=settings.device_pause_s,
        gone=outbox.say_gone,
        back=link.look_again,
    )
    model = settings.model
    provider = Metered(
        Ollama(
            OllamaConfig(
                model=model.name,
                host=model.host,
                num_ctx=model.context_tokens,
                think=model.think,
                api_key=model.api_key,
            )
        ),
        instruments,
        spans,
    )
    live = Hub(store, readers=http.most_readers())
    assistant = Assistant(
        store,
        replies,
        Planner(),
        provider,
        fast_path=model.fast_path,
        spans=spans,
        overhear=live.overhear,
    )
    pacer = Pacer(store)
    people = People(store, assistant, spans=spans)
    historian = Historian(store)
    notary = Notary(store, keyring, settings.heads_path, instance=settings.instance)

    hearing = (
        trust,
        inbox,
        outbox,
        replies,
        pacer,
        people,
        notary,
        historian,
        instruments,
        CommandSpans(spans),
        live,
    )
    listeners = [each.hear for each in hearing]
    store.listen(lambda told: notices.tell(told, listeners))
    await store.write(devices.nobody_is_known_online)
    await store.write(partial(users.ensure_admin, now=utc_now()))
    if await store.read(users.awaits_password):
        logger.info(
            "%s has no password to sign in with: orion users password %s --once", users.ADMIN, users.ADMIN
        )
    if not settings.allow_unsigned:
        await store.write(devices.forbid_unsigned)
    await trust.load()
    await warden.load()
    await outbox.load()
    await people.load()
    keep = Keep.for_days(
        commands=settings.keep_commands_days,
        events=settings.keep_events_days,
        messages=settings.keep_messages_days,
    )
    cleaner = Cleaner(store, keep, keys=lambda: keyring.known)
    archivist = Archivist(store, keyring, cleaner, instance=settings.instance)
    copyist = Copyist(
        store,
        Source(settings.database_url, settings.heads_path, settings.instance),
        Plan.of(settings.backup_dir, hours=settings.backup_hours, keep_days=settings.backup_keep_days),
    )
    scheduler = Scheduler(
        store,
        heartbeat_s=settings.heartbeat_s,
        listening=lambda: link.connected and not inbox.behind,
        losses=lambda: link.losses,
        jobs=(
            Job("Condensing what devices measured", historian.condense, every=MINUTE, after=MINUTE),
            Job("Tidying sign-ins", doorkeeper.tidy, every=DAY, after=2 * MINUTE),
            Job("Backing up", copyist.back_up_if_due, every=HOUR, after=5 * MINUTE),
            Job("Cleaning the store", cleaner.clean, every=DAY, after=10 * MINUTE),
        ),
    )
    named = asyncio.Event()
    try:
        async with asyncio.TaskGroup() as tasks:
            admins = await asyncio.to_thread(token.ensure, settings.token_path)
            parts = Parts(
                settings=settings,
                store=store,
                replies=replies,
                devices_door=link,
                warden=warden,
                cleaner=cleaner,
                assistant=assistant,
                administration=administration,
                keyring=keyring,
                notary=notary,
                archivist=archivist,
                token=admins,
                doorkeeper=doorkeeper,
                instruments=instruments,
                spans=spans,
                device_flow=DeviceFlow(
                    store, doorkeeper, public_url=settings.public_url, clock=time.monotonic, now=utc_now
                ),
                elsewhere=elsewhere,
                passes=Passes(ring, admins),
                live=live,
                door=Door(),
                tasks=tasks,
                lately=Lately(store.freshness, time.monotonic),
                quota=Quota(time.monotonic, rate=settings.api_rate, burst=settings.api_burst),
            )
            server = await asyncio.to_thread(http.serving, parts)
            working = [
                tasks.create_task(identity.connect(link, named, stop), name="link"),
                tasks.create_task(server.serve(sockets=[listener]), name="http"),
                tasks.create_task(pacer.run(), name="pacer"),
                tasks.create_task(joining.run(), name="joining"),
                tasks.create_task(live.run(), name="live"),
                tasks.create_task(people.run(), name="people"),
                tasks.create_task(notary.run(), name="notary"),
                tasks.create_task(archivist.run(), name="archivist"),
                tasks.create_task(historian.run(), name="historian"),
                tasks.create_task(warden.run(), name="warden"),
                tasks.create_task(identity.make_name(administration, settings, named), name="name"),
                tasks.create_task(_tell_ready(link, listener.getsockname()[1], ready), name="ready"),
            ]
            scheduler.start()
            await stop.wait()
            logger.info("Stopping")
            live.close()
            server.should_exit = True
            await asyncio.wait(working[:2], timeout=STOP_WITHIN)
            _end()
    except* _Stopped:
        logger.info("Stopped")
    finally:
        scheduler.stop()
        await historian.close()
        copyist.stop()
        await notary.close()
        await provider.close()
        if elsewhere is not None:
            await elsewhere.close()


def _end() -> None:
    """End what is left of a TaskGroup: turns, whose commands go on without them."""
    raise _Stopped


async def _tell_ready(link: Link, port: int, ready: Callable[[int], None]) -> None:
    await link.online.wait()
    logger.info("Ready: HTTP on port %d", port)
    ready(port)
