"""Putting a backup back: checked whole beside what is in use, then in its place, with a word in the audit.

Whatever does not fit ends it before anything was changed. The heads that were signed since the
backup was made name rows that are gone with it: they are kept aside, and the audit says which.
"""

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from tempfile import TemporaryDirectory

from sqlalchemy import Engine
from sqlalchemy.exc import DBAPIError
from sqlmodel import Session

from broker import files
from controller.services import audit, heads, proof
from controller.services.accounts import signins
from controller.services.actors import Actor
from controller.services.heads import SignedHead
from controller.services.proof import Chain, Unchained
from controller.store import backups, engine, headfile, migrate
from controller.store.backups import BackupUnusable, ChainBroken, Manifest, NotRestored
from controller.store.house import HouseRules
from schemas.wire import JsonObject, format_instant


@dataclass(frozen=True, slots=True)
class Target:
    """What is put back, and whose signatures on the audit are believed."""

    url: str = field(repr=False)  # it may hold a password
    heads_path: Path
    rules: HouseRules
    believed: frozenset[str]


@dataclass(frozen=True, slots=True)
class Restored:
    """What was done."""

    manifest: Manifest
    chains: list[Chain]
    given_up: list[SignedHead]  # ends of the audit that were signed and are gone
    database_aside: str | None
    heads_aside: Path | None


@dataclass(frozen=True, slots=True)
class Looked:
    """What was found in a backup. Of a server's, the audit cannot be read without one: None."""

    manifest: Manifest
    chains: list[Chain] | None = None
    loose: Unchained | None = None


def look_into(path: Path, believed: frozenset[str], *, tell: backups.Tell = lambda *_: None) -> Looked:
    """Check a backup as `restore` does, and change nothing. Blocks.

    Raises:
        NotRestored: it is damaged, of a newer Orion, or there is no room to look.
    """
    manifest = _known(path)
    with _translated(), TemporaryDirectory(prefix="orion-backup-") as made:
        folder = Path(made)
        if manifest.kind != engine.SQLITE:
            return Looked(backups.check(path, lambda done, total: tell("checking", done, total)))
        backups.unpack(path, folder, lambda done, total: tell("unpacking", done, total))
        copy = engine.writer(engine.sqlite_url(folder / backups.DATABASE))
        try:
            _compare(path, copy, manifest)
            migrate.upgrade(copy)
            lines = headfile.lines_of(folder / backups.HEADS)
            chains = walk(copy, lines, believed, tell=lambda rows: tell("audit", rows, 0))
            with Session(copy) as session:
                return Looked(manifest, chains, proof.unchained(session))
        finally:
            copy.dispose()


def fitting(path: Path, url: str) -> Manifest:
    """What a backup says of itself, if it can be put back here.

    Raises:
        BackupUnusable: it cannot.
    """
    manifest = _known(path)
    kind = engine.kind_of(url)
    if manifest.kind != kind:
        raise BackupUnusable(
            path,
            f"is of a database of the kind {manifest.kind}, and this installation has {kind}. Restore it into "
            "an installation of its own kind, and move that: orion db move",
        )
    return manifest


def restore(
    path: Path,
    target: Target,
    *,
    actor: Actor,
    now: datetime,
    accept_broken_chain: bool = False,
    tell: backups.Tell = lambda *_: None,
) -> Restored:
    """Put a backup into the place of the database. Blocks; the controller must not run.

    Raises:
        NotRestored: it does not fit, is damaged, or somebody works with the database. Nothing was changed.
    """
    with _translated():
        return _restore(path, target, actor, now, tell, accept=accept_broken_chain)


def _restore(
    path: Path, target: Target, actor: Actor, now: datetime, tell: backups.Tell, *, accept: bool
) -> Restored:
    manifest = fitting(path, target.url)
    with backups.held(target.url) as place:
        folder = place.draft()
        backups.unpack(path, folder, lambda done, total: tell("unpacking", done, total))
        lines = headfile.lines_of(folder / backups.HEADS)
        database = folder / backups.DATABASE
        staged = place.stage(database, manifest, lambda done, total: tell("loading", done, total))
        _compare(path, staged, manifest)
        migrate.upgrade(staged)
        chains = walk(staged, lines, target.believed, tell=lambda rows: tell("audit", rows, 0))
        said = faults(chains, staged)
        if said and not accept:
            raise ChainBroken(said)
        given_up = _given_up(staged, target)
        with Session(staged, info=target.rules.known_in()) as session, session.begin():
            # who signed out, was shut out or robbed since the backup does not come in again by it
            signins.end_all(session, why="restored", now=now)
            audit.record(
                session,
                "store.restored",
                now=now,
                actor=actor,
                detail=_detail(manifest, given_up, accepted=bool(said)),
            )
        # first the heads: fewer of them prove less of what is there now, others would contradict what comes
        heads_aside = _replace_heads(target.heads_path, lines, now)
        try:
            aside = place.swap(now)
        except BaseException:
            if heads_aside is not None:
                heads_aside.replace(target.heads_path)
            raise
    return Restored(manifest, chains, given_up, aside, heads_aside)


def walk(
    staged: Engine,
    lines: list[str],
    believed: frozenset[str],
    *,
    tell: Callable[[int], None] = lambda _: None,
) -> list[Chain]:
    """Prove the audit of a database by these signed heads."""
    kept, _ = heads.read(lines)
    return proof.walk(proof.Stored(lambda: Session(staged)), kept, believed=believed, tell=tell)


def faults(chains: list[Chain], staged: Engine) -> str:
    """What is wrong with an audit, in words; nothing where it is whole."""
    with Session(staged) as session:
        stray = proof.unchained(session).first_stray
    found = [f"{each.instance}: {each.fault.sentence}." for each in chains if each.fault is not None]
    found += [] if stray is None else [f"The row number {stray} is in no chain."]
    return " ".join(found)


def _known(path: Path) -> Manifest:
    manifest = backups.manifest_of(path)
    if not migrate.is_known(manifest.revision):
        raise BackupUnusable(
            path,
            f"was made by Orion {manifest.orion} and has the schema {manifest.revision}; this one knows "
            f"{migrate.newest()} and older. Install that release.",
        )
    return manifest


@contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise NotRestored(f"The backup cannot be put back: {error.strerror or error}.") from error
    except (DBAPIError, sqlite3.Error) as error:
        said = str(getattr(error, "orig", error)).partition("\n")[0]
        raise NotRestored(f"The backup cannot be put back; the database says: {said}.") from error


def _compare(path: Path, staged: Engine, manifest: Manifest) -> None:
    with staged.connect() as connection:
        found = backups.counted(connection)
    for name, rows in manifest.rows.items():
        if found.get(name) != rows:
            raise BackupUnusable(
                path, f"is damaged: it says that {name} has {rows} rows, and there are {found.get(name, 0)}."
            )


def _given_up(staged: Engine, target: Target) -> list[SignedHead]:
    """The last end of each chain that was signed here and is not in the backup."""
    kept, _ = heads.read(headfile.lines_of(target.heads_path))
    last = {head.instance: head for head in kept if head.key_id in target.believed and heads.is_genuine(head)}
    with Session(staged) as session:
        return [head for head in last.values() if not heads.fits(session, head)]


def _detail(manifest: Manifest, given_up: list[SignedHead], *, accepted: bool) -> JsonObject:
    return {
        "made_at": format_instant(manifest.made_at),
        "sha256": manifest.contents["database"].sha256,
        "schema": manifest.revision,
        "broken_chain_accepted": accepted,
        "given_up": [
            {"instance": head.instance, "position": head.position, "hash": head.hash} for head in given_up
        ],
    }


def _replace_heads(path: Path, lines: list[str], now: datetime) -> Path | None:
    """Keep the heads of the backup from now on, and those that were there in a file of their own."""
    aside = None
    if headfile.lines_of(path):
        aside = path.with_name(f"{path.stem}-before-{now:%Y%m%dT%H%M%SZ}{path.suffix}")
        files.replace(aside, path.read_text(encoding="utf-8", errors="replace"))
    files.make_private_directory(path.parent)
    with suppress(FileNotFoundError):
        if not lines:
            path.unlink()
    if lines:
        files.replace_by_lines(path, lines)
    return aside
