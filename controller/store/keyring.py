"""The keys that this controller signs with, in one file that only its owner can read.

A rotation overlaps: the new key is announced before it signs, by a key that devices hold,
and the old one counts for a while after. So a device that was away learns of it in time.
"""

import logging
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from pathlib import Path

from pydantic import BaseModel, ConfigDict, TypeAdapter, ValidationError

from broker import files
from controller.errors import Conflict, OrionError
from schemas.keys import Key, Keys
from schemas.signing import BadKey, Signer
from schemas.wire import Instant

logger = logging.getLogger(__name__)

LASTS = timedelta(days=3650)
SETTLE = timedelta(minutes=5)  # between the announcement of a key and its first signature
SHOWN = 5  # devices that an error names
OVERLAP = timedelta(days=30)  # in which a device may be away without having to join again


class KeysUnusable(OrionError):
    """The file of keys cannot be read. It is never replaced: every device would have to join again."""

    def __init__(self, path: Path, reason: str) -> None:
        super().__init__(f"{path} cannot be used: {reason}. Restore it from a backup.")


class KeysLost(KeysUnusable):
    """The file of keys is gone, and devices obey nothing else."""

    def __init__(self, path: Path, enrolled: Sequence[str]) -> None:
        shown = ", ".join(enrolled[:SHOWN]) + (", …" if len(enrolled) > SHOWN else "")
        OrionError.__init__(
            self,
            f"{path} is missing, and devices obey nothing that its keys did not sign: {shown}. Restore it from a "
            "backup. If there is none: `orion signing-keys new` makes new ones, and then each of these devices has to "
            "join again (`orion devices invite ID`).",
        )


class KeysNotWritten(OrionError):
    """The file of keys cannot be written: its disk is full or protected. The keys stay as they were."""

    def __init__(self, path: Path, reason: str | None) -> None:
        super().__init__(
            f"{path} cannot be written ({reason or 'for an unknown reason'}): no key was made, and the present one "
            "still signs and counts. Make room there, then: orion signing-keys rotate"
        )


class _Entry(BaseModel):
    """`introduces_until`: until then it signs the announcement of its successors."""

    model_config = ConfigDict(frozen=True, hide_input_in_errors=True)

    secret: str
    not_before: Instant
    not_after: Instant
    introduces_until: Instant

    def __repr__(self) -> str:
        return f"_Entry(not_before={self.not_before}, not_after={self.not_after})"


_ENTRIES = TypeAdapter(tuple[_Entry, ...])


class KeyRing:
    """What signs now, what devices must know, and how the one follows the other.

    `open`, `begin` and `rotate` block on the file; the rest is memory.
    """

    def __init__(self, path: Path, now: Callable[[], datetime]) -> None:
        self._path = path
        self._clock = now
        self._held: tuple[tuple[_Entry, Signer], ...] = ()  # the oldest first

    def open(self, *, enrolled: Sequence[str] = ()) -> None:
        """Read the keys, or make the first one. `enrolled`: who has learnt of one, which must be there then.

        Raises:
            KeysUnusable: the file is there and is not what it should be.
            KeysLost: it is not there, and should be.
        """
        files.make_private_directory(self._path.parent)
        with files.locked(self._path.with_suffix(".lock")):
            try:
                if files.make_private(self._path):
                    logger.warning(
                        "%s could be read by others, and no longer can; if they may have: orion signing-keys rotate --at-once",
                        self._path,
                    )
                self._hold(_ENTRIES.validate_json(self._path.read_bytes()))
            except FileNotFoundError:
                if enrolled:
                    raise KeysLost(self._path, enrolled) from None
                self._make_first()
            except OSError as error:
                raise KeysUnusable(self._path, error.strerror or "it cannot be read") from error
            except (ValidationError, BadKey) as error:
                raise KeysUnusable(self._path, "it is damaged") from error
        if not self._held:
            raise KeysUnusable(self._path, "it holds no key")

    def begin(self) -> None:
        """Make the first key although devices know another one: they have to join again.

        Raises:
            Conflict: there are keys.
        """
        files.make_private_directory(self._path.parent)
        with files.locked(self._path.with_suffix(".lock")):
            if self._path.exists():
                raise Conflict(
                    f"{self._path} is there. `orion signing-keys rotate` replaces the key that signs."
                )
            self._make_first()

    @property
    def signer(self) -> Signer:
        """The key that signs now: the newest that is not only announced yet."""
        now = self._now()
        begun = [signer for entry, signer in self._held if entry.not_before <= now < entry.not_after]
        return begun[-1] if begun else self._held[-1][1]

    @property
    def keys(self) -> list[Key]:
        """What devices are to believe, those included that will sign soon."""
        now = self._now()
        return [_public(entry, signer) for entry, signer in self._held if now < entry.not_after]

    @property
    def known(self) -> frozenset[str]:
        """The ids of all keys that are kept, those included that count no longer."""
        return frozenset(signer.key_id for _, signer in self._held)

    def announcement(self) -> tuple[Keys, tuple[Signer, ...]]:
        """The keys, and all who sign for them, the oldest first: each is the one that some device may still hold.

        Whoever heard of a key that took another's place at once has let go of the other. So after
        such rotations one signature does not reach all; otherwise the oldest does.
        """
        now = self._now()
        introducing = [(entry, signer) for entry, signer in self._held if now < entry.introduces_until]
        over = [signer for entry, signer in introducing if entry.not_after <= now]
        counting = [signer for entry, signer in introducing if now < entry.not_after]
        return Keys(keys=self.keys, at=now), (*over, *counting[:1]) or (self._held[-1][1],)

    def rotate(
        self, *, settle: timedelta = SETTLE, overlap: timedelta = OVERLAP, at_once: bool = False
    ) -> Key:
        """Make the next key. `at_once`: the present one is in wrong hands and stops counting now.

        Raises:
            Conflict: the last rotation still overlaps. One at once has no overlap, and ends that of another.
            KeysNotWritten: there is no room for it; nothing has changed.
        """
        with files.locked(self._path.with_suffix(".lock")):
            now = self._now()
            kept = [entry for entry, _ in self._held if now < entry.introduces_until]
            counting = [entry for entry in kept if now < entry.not_after]  # not those that only introduce
            if len(counting) > 1 and not at_once:
                until = f"{min(entry.not_after for entry in counting):%Y-%m-%d %H:%M} UTC"
                raise Conflict(
                    f"The last rotation overlaps until {until}: its old key counts until then, for devices that are "
                    "away, and the next ordinary rotation waits for that. A key that is in wrong hands is replaced "
                    "now: orion signing-keys rotate --at-once"
                )
            begins = now if at_once else now + settle
            ends = now if at_once else begins + overlap
            older = [
                entry.model_copy(
                    update={
                        "not_after": min(entry.not_after, ends),
                        "introduces_until": min(entry.introduces_until, now + overlap)
                        if at_once
                        else min(entry.introduces_until, ends),
                    }
                )
                for entry in kept
            ]
            made = Signer.generate()
            fresh = _entry(made, begins, begins + LASTS)
            self._write((*older, fresh))
        logger.info("Made the signing key %s, which signs from %s", made.key_id, begins.isoformat())
        return _public(fresh, made)

    def _now(self) -> datetime:
        """The hour in whole milliseconds, as it is kept and told."""
        now = self._clock()
        return now.replace(microsecond=now.microsecond // 1000 * 1000)

    def _make_first(self) -> None:
        now = self._now()
        self._write((_entry(Signer.generate(), now, now + LASTS),))

    def _write(self, entries: tuple[_Entry, ...]) -> None:
        try:
            files.replace(self._path, _ENTRIES.dump_json(entries, indent=1).decode() + "\n")
        except OSError as error:
            raise KeysNotWritten(self._path, error.strerror) from error
        self._hold(entries)

    def _hold(self, entries: tuple[_Entry, ...]) -> None:
        self._held = tuple((entry, Signer.restore(entry.secret)) for entry in entries)


def held(path: Path, now: datetime) -> list[Key]:
    """What counts now of a file of keys, only looked at: nothing is made or mended. None where there is none.

    Raises:
        KeysUnusable: it is there and cannot be read.
    """
    try:
        entries = _ENTRIES.validate_json(path.read_bytes())
        known = [_public(entry, Signer.restore(entry.secret)) for entry in entries]
    except FileNotFoundError:
        return []
    except OSError as error:
        raise KeysUnusable(path, error.strerror or "it cannot be read") from error
    except (ValidationError, BadKey) as error:
        raise KeysUnusable(path, "it is damaged") from error
    return [key for key in known if now < key.not_after]


def _entry(signer: Signer, begins: datetime, ends: datetime) -> _Entry:
    return _Entry(secret=signer.secret, not_before=begins, not_after=ends, introduces_until=ends)


def _public(entry: _Entry, signer: Signer) -> Key:
    return Key(
        key_id=signer.key_id, public=signer.public, not_before=entry.not_before, not_after=entry.not_after
    )
