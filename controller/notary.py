"""The notary: signs the ends of the audit's chains, so that nobody can write a chain anew.

What came since the last signature is not protected yet: so it signs after so many rows, after
so long, when the program stops, and when somebody exports the audit.
"""

import asyncio
import logging
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

from controller.errors import OrionError
from controller.services import audit, cuts, heads
from controller.services.heads import SignedHead
from controller.store import headfile
from controller.store.keyring import KeyRing
from controller.store.notices import Audited, Notice
from controller.store.store import Session, Store, StoreFailed
from schemas.ids import Instance
from schemas.wire import JsonObject

logger = logging.getLogger(__name__)

SIGN_AFTER_ROWS = 1_000
SIGN_AFTER = 300.0  # seconds, when there was any row
SIGN_AFTER_ACTIONS = frozenset(
    {"keys.rotated", "audit.archived"}
)  # what was signed before is soon worth less


class Notary:
    """Keeps what it signed in a file that is only added to."""

    def __init__(
        self,
        store: Store,
        keyring: KeyRing,
        path: Path,
        *,
        instance: Instance,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        sign_after_rows: int = SIGN_AFTER_ROWS,
        sign_after_s: float = SIGN_AFTER,
    ) -> None:
        self._store = store
        self._keyring = keyring
        self._path = path
        self._instance = instance
        self._now = now
        self._sign_after_rows = sign_after_rows
        self._sign_after_s = sign_after_s
        self._rows = 0  # since the last signature
        self._kept: dict[
            Instance, tuple[str, str]
        ] = {}  # by chain, what the last signature is of and its key
        self._signing = asyncio.Lock()
        self._wake = asyncio.Event()

    def hear(self, notice: Notice) -> None:
        """Count the rows that are committed."""
        if isinstance(notice, Audited):
            self._rows += 1
            is_due = self._rows >= self._sign_after_rows or not self._kept  # unsigned, it proves nothing
            if is_due or notice.line["action"] in SIGN_AFTER_ACTIONS:
                self._wake.set()

    async def run(self) -> None:
        """Look whether what was signed last is still there; then sign whenever it is time."""
        with suppress(OrionError):  # the next signature says what is wrong with the database
            await self._look_back()
        while True:
            await self._sign_or_say()
            with suppress(TimeoutError):
                async with asyncio.timeout(self._sign_after_s):
                    await self._wake.wait()
            self._wake.clear()

    async def close(self) -> None:
        """Sign what came last. Never raises for the sake of a clean stop."""
        await self._sign_or_say()

    async def sign(self) -> list[SignedHead]:
        """Sign the ends of all chains, and keep those that are new.

        Raises:
            StoreFailed: the database cannot be read, or the file not be written, now.
        """
        async with self._signing:
            self._rows = 0
            ends = await self._store.read(heads.ends)
            await self._renew_cuts()
            signed = heads.sign(ends, self._keyring.signer, by=self._instance, now=self._now())
            fresh = [head for head in signed if self._kept.get(head.instance) != (head.hash, head.key_id)]
            if fresh:
                await self._store.write_through()  # what is signed must not be gone after a power cut
                await self._keep([head.model_dump_json() for head in fresh])
                self._kept |= {head.instance: (head.hash, head.key_id) for head in fresh}
            return signed

    async def _renew_cuts(self) -> None:
        """Have what was archived signed by the present key: an old one is believed for a while only."""
        signer, known = self._keyring.signer, self._keyring.known
        renewed = partial(cuts.renewed, signer=signer, believed=known)
        if await self._store.read(renewed):
            await self._store.write(lambda session: cuts.keep(session, renewed(session)))

    async def _keep(self, lines: list[str]) -> None:
        try:
            await asyncio.to_thread(headfile.append, self._path, lines)
        except OSError as error:
            raise StoreFailed(f"{self._path} could not be written now: {error.strerror}.") from error

    async def _sign_or_say(self) -> None:
        try:
            await self.sign()
        except OrionError as error:
            logger.warning("The end of the audit could not be signed, and is tried again: %s", error)

    async def _look_back(self) -> None:
        """Compare the last signed head of each chain with the row that it is of."""
        kept, _ = heads.read(await asyncio.to_thread(headfile.lines_of, self._path))
        for head in {head.instance: head for head in kept if heads.is_genuine(head)}.values():
            if await self._store.read(partial(self._is_there, head=head)):
                self._kept[head.instance] = (head.hash, head.key_id)
                continue
            logger.error(
                "The audit of %s is not what was signed at row %d: orion audit verify",
                head.instance,
                head.position,
            )
            await self._store.write(partial(self._note_broken, head=head))

    def _is_there(self, session: Session, head: SignedHead) -> bool:
        """Whether the row that was signed is still there, or in an archive of ours."""
        if heads.fits(session, head):
            return True
        return cuts.covers(cuts.of(session), head, believed=self._keyring.known)

    def _note_broken(self, session: Session, head: SignedHead) -> None:
        detail: JsonObject = {"instance": head.instance, "position": head.position, "hash": head.hash}
        audit.record(session, "audit.broken", now=self._now(), detail=detail)
