"""One session after the other, for as long as the program lives.

A loss is logged once and the return once; between them stand growing waits with jitter,
so that a thousand devices do not return in the same moment. Whoever was taken over by
another program of its name does not fight for it: it comes back slowly, and says so.
Some brokers end the older session without a word (Mosquitto 2.0.11 does): then it shows
only in connections that are let in at once and ended at once, again and again.
"""

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from random import SystemRandom

from broker.session.connection import Session
from broker.session.errors import ConnectFailed, ConnectionLost, SessionError
from broker.session.messages import Connected

logger = logging.getLogger(__name__)

_RANDOM = SystemRandom()
GRACE = 1.0  # seconds that `serve` gets to notice a lost connection by itself
STOP_WITHIN = 4.0  # seconds that it gets to end after `stop`
STABLE_AFTER = 10.0  # seconds; a connection that lived less counts as a failed attempt
DISPUTED_AFTER = 5  # connections in a row that were let in at the first try and ended without a word
DISPUTED_WITHIN = 5.0  # seconds that each of them lived at most: a broker that dies often lives longer
SETTLED_AFTER = 60.0  # seconds of one connection after which a dispute is over
UNDISPUTED_AFTER = 3600.0  # seconds of one connection after which earlier takeovers are forgotten
REMIND_EVERY = 300.0  # seconds between two lines about a broker that stays away
REMEDY = "check its username and password"  # for whoever is not let in


@dataclass(frozen=True, slots=True)
class Backoff:
    """How long to wait before attempt n: doubling, jittered, slow when not let in or taken over."""

    first_s: float = 0.2
    longest_s: float = 30.0
    not_let_in_s: float = 15.0
    taken_over_s: float = 30.0  # at most, the first time
    longest_taken_over_s: float = 300.0

    def delay(self, failures: int, *, not_let_in: bool) -> float:
        doubled: float = min(self.longest_s, self.first_s * 2 ** min(failures, 16))
        least = min(self.longest_s, self.not_let_in_s) if not_let_in else 0.0
        return max(least, doubled) * _jitter()

    def after_takeover(self, times: int) -> float:
        doubled: float = min(self.longest_taken_over_s, self.taken_over_s * 2 ** min(times - 1, 16))
        return doubled * _jitter()


def _jitter() -> float:
    return _RANDOM.uniform(0.5, 1.0)


async def keep_connected(
    open_session: Callable[[], Session | Awaitable[Session]],
    serve: Callable[[Session, Connected], Awaitable[None]],
    *,
    stop: asyncio.Event | None = None,
    backoff: Backoff | None = None,
    connect_within_s: float = 10.0,
    remedy: str = REMEDY,
) -> None:
    """Connect, serve, and connect again whenever the connection is lost.

    `serve` is called with each new session. It ends by a `SessionError` when the session
    is gone (or is cancelled a moment after), and by returning when the work is done: then
    the connection is closed cleanly and this returns. Any other exception goes out, and
    the broker publishes the will. `stop` ends
    connecting and waiting at once; a `serve` that goes on is cancelled after `STOP_WITHIN`.
    `remedy` is said when the broker does not let us in.
    """
    stop = stop or asyncio.Event()
    backoff = backoff or Backoff()
    outage = _Outage(remedy)
    loop = asyncio.get_running_loop()
    while not stop.is_set():
        opened = open_session()
        session = opened if isinstance(opened, Session) else await opened
        error: SessionError
        try:
            connected = await _connect(session, stop, connect_within_s)
            if connected is None:
                return
        except ConnectFailed as failure:
            outage.failed(session, failure)
            error = failure
        else:
            outage.over(session)
            since = loop.time()
            lost = await _serve(session, connected, serve, stop)
            if lost is None:
                return
            if stop.is_set():
                return
            error = lost if isinstance(lost, ConnectionLost) else session.error or lost
            outage.began(session, error, lived_s=loop.time() - since)
        delay = outage.delay(session, error, backoff)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(delay):
                await stop.wait()


async def _connect(session: Session, stop: asyncio.Event, within_s: float) -> Connected | None:
    """Connect; None when `stop` came first."""
    connecting = asyncio.create_task(session.connect(within_s=within_s), name="session-connect")
    stopping = asyncio.create_task(stop.wait(), name="session-stop")
    try:
        await asyncio.wait((connecting, stopping), return_when=asyncio.FIRST_COMPLETED)
        if connecting.done():
            return connecting.result()
        return None
    finally:
        stopping.cancel()
        connecting.cancel()
        await asyncio.wait((connecting, stopping))


async def _serve(
    session: Session,
    connected: Connected,
    serve: Callable[[Session, Connected], Awaitable[None]],
    stop: asyncio.Event,
) -> SessionError | None:
    """Serve one session; None when `serve` was done, else why the session ended."""
    clean = False
    serving = asyncio.ensure_future(_run(serve, session, connected))
    watching = asyncio.create_task(session.lost(), name="session-lost")
    stopping = asyncio.create_task(stop.wait(), name="session-stop")
    try:
        await asyncio.wait((serving, watching, stopping), return_when=asyncio.FIRST_COMPLETED)
        if not serving.done():
            grace = GRACE if watching.done() else STOP_WITHIN
            await asyncio.wait((serving,), timeout=grace)
        if not serving.done():
            serving.cancel()
            await asyncio.wait((serving,))
            if serving.cancelled():
                return session.error or ConnectionLost("it did not end in time")
        lost = serving.result()
        clean = lost is None
        return lost
    finally:
        watching.cancel()
        stopping.cancel()
        if not serving.done():
            serving.cancel()
            await asyncio.wait((serving,))
        await session.close(keep_will=not clean)


async def _run(
    serve: Callable[[Session, Connected], Awaitable[None]], session: Session, connected: Connected
) -> SessionError | None:
    try:
        await serve(session, connected)
    except SessionError as error:
        return error
    except BaseExceptionGroup as group:
        # a TaskGroup inside `serve` wraps the loss; anything else in it is not ours
        ours, others = group.split(SessionError)
        if ours is None or others is not None:
            raise
        return _first(ours)
    return None


def _first(group: BaseExceptionGroup[SessionError]) -> SessionError:
    inner = group.exceptions[0]
    return _first(inner) if isinstance(inner, BaseExceptionGroup) else inner


def _is_takeover(error: SessionError) -> bool:
    return isinstance(error, ConnectionLost) and error.taken_over


class _Outage:
    """Says once that the broker is away, now and then that it still is, and once that it is back."""

    def __init__(self, remedy: str) -> None:
        self._remedy = remedy
        self._failures = 0
        self._takeovers = 0  # that the broker told us of
        self._unexplained = 0  # ends in a row
        self._since: float | None = None
        self._said: float | None = None

    def began(self, session: Session, error: SessionError, *, lived_s: float) -> None:
        if lived_s >= STABLE_AFTER:
            self._failures = 0
        if lived_s >= UNDISPUTED_AFTER:
            self._takeovers = 0
        known = not isinstance(error, ConnectionLost) or error.code is not None
        if known or lived_s >= (SETTLED_AFTER if self._is_disputed else DISPUTED_WITHIN):
            self._unexplained = 0
        else:
            self._unexplained += 1
        self._since = asyncio.get_running_loop().time()
        if not self._is_disputed and not _is_takeover(error):
            logger.warning("Lost %s:%d: %s", session.endpoint.host, session.endpoint.port, error)

    def delay(self, session: Session, error: SessionError, backoff: Backoff) -> float:
        """How long to wait before the next attempt."""
        if _is_takeover(error):
            self._takeovers += 1
            wait = backoff.after_takeover(self._takeovers)
            logger.error(
                "Another program is connected as %s and ended this session; trying again in %.0f s",
                session.client_id,
                wait,
            )
            return wait
        if self._is_disputed:
            wait = backoff.after_takeover(1)
            logger.error(
                "Another program may be connected as %s: this session is ended again and again; "
                "trying again in %.0f s",
                session.client_id,
                wait,
            )
            return wait
        self._failures += 1
        not_let_in = isinstance(error, ConnectFailed) and error.not_let_in
        return backoff.delay(self._failures - 1, not_let_in=not_let_in)

    @property
    def _is_disputed(self) -> bool:
        return self._unexplained >= DISPUTED_AFTER

    def failed(self, session: Session, error: ConnectFailed) -> None:
        self._unexplained = 0  # the broker itself was away
        now = asyncio.get_running_loop().time()
        self._since = self._since if self._since is not None else now
        if self._said is not None and now - self._said < REMIND_EVERY:
            return
        self._said = now
        where = (session.endpoint.host, session.endpoint.port)
        if error.not_let_in:
            logger.error(
                "The broker at %s:%d does not let %s in (%s); %s",
                *where,
                session.client_id,
                error.reason,
                self._remedy,
            )
        else:
            logger.warning("Broker at %s:%d cannot be reached (%s), trying on", *where, error.reason)

    def over(self, session: Session) -> None:
        if self._since is None:
            logger.info(
                "Connected to %s:%d as %s", session.endpoint.host, session.endpoint.port, session.client_id
            )
        else:
            away = asyncio.get_running_loop().time() - self._since
            logger.info(
                "Connected again to %s:%d after %.1f s", session.endpoint.host, session.endpoint.port, away
            )
        self._since = self._said = None
