"""`orion db backup|backups|verify|restore`: the database as a file, and back.

They open the database themselves: a backup must not need the program that may be broken, and to
put one back the controller must not run.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from orion import idle, progress, words
from orion.client import Json
from orion.config.addresses import heads_path, keys_path
from orion.config.sources import masked_url
from orion.exits import Exit
from orion.terminal import moment
from orion.verbs import Failure, Invocation, verb

if TYPE_CHECKING:  # the controller's own parts are loaded for these commands only
    from controller.services.restoration import Restored
    from controller.store.backups import Kept, Made, Manifest

CENTURY = 100 * words.YEAR
MEGABYTE = 1_000_000
APART = (
    "The keys and passwords are not in it: keep a copy of controller/keys.json and of the folder broker "
    "as well, apart from it."
)

File = Annotated[Path, typer.Argument(help="A backup.", show_default=False)]


def register(group: typer.Typer) -> None:
    """Add the verbs to the noun `db`."""
    shown = {"database_url", "backup_dir"}
    verb(group, "backup", example="orion db backup\norion db backup /mnt/nas --keep 30d", shown=shown)(backup)
    verb(group, "backups", example="orion db backups", shown={"backup_dir"})(listed)
    verb(group, "verify", example="orion db verify orion-main-20261127T120000Z.tar.gz")(verify)
    verb(
        group,
        "restore",
        example="orion db restore orion-main-20261127T120000Z.tar.gz",
        shown={"database_url"},
    )(restore)


def backup(
    invocation: Invocation,
    file: Annotated[
        Path | None,
        typer.Argument(
            help="The file to write, or a folder for it; backup_dir unless said.", show_default=False
        ),
    ] = None,
    keep: Annotated[
        str | None,
        typer.Option(
            "--keep",
            metavar="AGE",
            help="Then delete this installation's older backups in the same folder, as 30d; never the newest.",
        ),
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Write over a file that is there.")] = False,
) -> None:
    """Write the database, as it is at this moment, to a file; the controller goes on meanwhile.

    One compressed file (tar.gz) for its owner's eyes only, with what it holds, checksums, and the signed heads of the audit. It is confidential: it holds what people said and what devices answered. Keys and passwords are not in it; see docs/operations.md.
    """
    from controller.store import backups

    idle.check_same(invocation)
    settings, now = invocation.settings, datetime.now(UTC)
    older = None if keep is None else timedelta(seconds=words.duration(keep, longest=CENTURY))
    source = backups.Source(settings.database_url, heads_path(settings), settings.instance)
    place = settings.backup_dir if file is None else file.expanduser().absolute()
    if file is None:
        place.mkdir(mode=0o700, parents=True, exist_ok=True)
    with _failing(invocation):
        with progress.measured(invocation.terminal) as tell:
            made = backups.make(source, place, now=now, replace=force, tell=tell)
        gone = [] if older is None else backups.prune(made.path.parent, made.manifest, before=now - older)
    _say_made(invocation, made, gone)


def _say_made(invocation: Invocation, made: "Made", gone: list[Path]) -> None:
    terminal = invocation.terminal
    report = {"file": str(made.path), "size": made.size, "deleted": [str(path) for path in gone]}
    if terminal.answer(report | _facts(made.manifest)):
        return
    rows = sum(made.manifest.rows.values())
    terminal.write(f"{made.path}")
    terminal.say(f"{_readable(made.size)}, {rows} rows. {APART}")
    if gone:
        terminal.say(f"Deleted: {', '.join(path.name for path in gone)}.")


def listed(
    invocation: Invocation,
    folder: Annotated[
        Path | None, typer.Argument(help="Where to look; backup_dir unless said.", show_default=False)
    ] = None,
) -> None:
    """Which backups there are, the newest first, as they say of themselves; also those that you named.

    What broke off is told. Whether one is whole to the last byte, orion db verify finds out.
    """
    from controller.store import backups

    place = invocation.settings.backup_dir if folder is None else folder
    terminal = invocation.terminal
    found = backups.on(place)
    if terminal.answer({"items": [_item(each) for each in found]}):
        return
    rows = [
        _item(each)
        | {
            "file": each.path.name,
            "size": _readable(each.size),
            "rows": sum(each.manifest.rows.values()) if each.manifest else None,
        }
        for each in found
    ]
    columns = {
        "made_at": "made",
        "file": "file",
        "size": "size",
        "rows": "rows",
        "kind": "of",
        "schema": "schema",
    }
    own = invocation.settings.instance
    if any(each.manifest is not None and each.manifest.instance != own for each in found):
        columns["instance"] = "controller"
    if any(each.trouble for each in found):
        columns["trouble"] = "trouble"
    terminal.items(rows, columns, none=f"There is no backup in {place}. Make one: orion db backup")


def verify(invocation: Invocation, file: File) -> Exit:
    """Check a backup without putting it back: that it is whole, and of SQLite also what is in it.

    That the rows are as many as it says, and the audit as recorded, is seen in a copy that is unpacked for it in the system's folder for temporary files (TMPDIR). Of PostgreSQL a restore looks at that, before it changes anything.
    """
    from controller.services import restoration
    from orion.nouns.audit.rows import own_keys
    from orion.nouns.audit.verifying import told

    with _failing(invocation), progress.measured(invocation.terminal) as tell:
        looked = restoration.look_into(file, own_keys(invocation), tell=tell)
    terminal = invocation.terminal
    if looked.chains is None:
        if not terminal.answer({"whole": True, "chains": None} | _facts(looked.manifest)):
            terminal.write(f"{file}: whole. A restore proves the audit in it.")
        return Exit.DONE
    if not terminal.json:
        terminal.write(f"{file}: whole, {sum(looked.manifest.rows.values())} rows.")
    return told(invocation, looked.chains, loose=looked.loose, more=_facts(looked.manifest))


def restore(
    invocation: Invocation,
    file: File,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    accept_broken_chain: Annotated[
        bool,
        typer.Option(
            "--accept-broken-chain", help="Put it back although its audit is not what was recorded."
        ),
    ] = False,
) -> Exit:
    """Put a backup into the place of the database; the controller must not run.

    It is checked first: checksums, rows, the chain of the audit. What is there now is kept aside, with its signed heads. A backup of an older Orion is brought up to date on the way. What happened since it was made is gone from the database; what devices did stays done, and nothing is done twice. Put back only what you trust: of a server's database, its content is carried out there.
    """
    from controller.services import restoration
    from controller.services.actors import Actor, Role
    from controller.store.house import HouseRules
    from orion.nouns.audit.rows import own_keys
    from schemas.commands import Via

    settings, terminal = invocation.settings, invocation.terminal
    with _failing(invocation):
        manifest = restoration.fitting(file, settings.database_url)
        idle.check(invocation)
        if not yes:
            if not terminal.asks:
                raise Failure(
                    "This replaces the database. Say --yes if it is meant.",
                    code="usage",
                    exit_code=Exit.USAGE,
                )
            question = (
                f"Replace the database {masked_url(settings.database_url)} by what it was at "
                f"{_moment(manifest)} ({sum(manifest.rows.values())} rows)?"
            )
            if not terminal.confirm(question):
                terminal.say("Nothing was changed.")
                return Exit.FAILED
        target = restoration.Target(
            settings.database_url,
            heads_path(settings),
            HouseRules(instance=settings.instance),
            own_keys(invocation),
        )
        with progress.measured(terminal) as tell:
            done = restoration.restore(
                file,
                target,
                actor=Actor("admin", Role.ADMIN, Via.CLI),
                now=datetime.now(UTC),
                accept_broken_chain=accept_broken_chain,
                tell=tell,
            )
    _say_restored(invocation, done)
    return Exit.DONE


def _say_restored(invocation: Invocation, done: "Restored") -> None:
    terminal = invocation.terminal
    given_up = [{"instance": each.instance, "position": each.position} for each in done.given_up]
    aside = {
        "database_aside": done.database_aside,
        "heads_aside": None if done.heads_aside is None else str(done.heads_aside),
        "given_up": given_up,
    }
    if terminal.answer(_facts(done.manifest) | aside):
        return
    rows = sum(done.manifest.rows.values())
    terminal.write(f"The database is what it was at {_moment(done.manifest)}: {rows} rows.")
    if done.database_aside:
        terminal.say(f"As it was just now, it is kept: {done.database_aside}.")
    for each in done.given_up:
        terminal.say(
            f"The audit of {each.instance} was signed up to row {each.position}; that end is given up. "
            f"The signatures are kept: {done.heads_aside}."
        )
    if not any(each.signed for each in done.chains):
        terminal.say(
            "No key that is here has signed the audit in it: it is as recorded only by its own hashes."
        )
    if not keys_path(invocation.settings).exists():
        terminal.say(f"{keys_path(invocation.settings)} is not here. {APART}")


def _item(kept: "Kept") -> Json:
    said = {"file": str(kept.path), "size": kept.size, "trouble": kept.trouble, "made_at": None}
    return said | (_facts(kept.manifest) if kept.manifest else {})


def _facts(manifest: "Manifest") -> Json:
    said = manifest.model_dump(mode="json", exclude={"contents", "format", "namespace", "server", "revision"})
    return said | {"schema": manifest.revision}


def _moment(manifest: "Manifest") -> str:
    return moment(str(_facts(manifest)["made_at"]))


def _readable(size: int) -> str:
    return f"{size / MEGABYTE:.1f} MB" if size >= MEGABYTE else f"{size / 1_000:.1f} kB"


@contextmanager
def _failing(invocation: Invocation) -> Iterator[None]:
    """What the controller's parts raise, as a command ends with it."""
    from sqlalchemy.exc import SQLAlchemyError

    from controller.errors import OrionError
    from controller.store import remedies

    try:
        yield
    except OrionError as error:
        raise Failure(str(error), code=error.code.value) from error
    except SQLAlchemyError as error:
        url = masked_url(invocation.settings.database_url)
        raise Failure(f"The database {url} cannot be used: {remedies.told(error)}") from error
