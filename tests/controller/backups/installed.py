"""What belongs to one controller and can be lost: its database and its signed heads."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

from sqlalchemy import Engine, text
from sqlmodel import Session

from controller.services import audit, heads, proof, restoration
from controller.services.restoration import Restored, Target
from controller.store import engine, headfile
from controller.store.backups import Source
from controller.store.house import HouseRules
from schemas.signing import Signer
from tests.controller.store.test_revisions import Rows, contents, fill
from tests.factories import ADMIN, NOON, later

SIGNER = Signer.generate()
AT = later(3600)  # when something is put back


class Installed:
    """A database and the file of heads beside it."""

    def __init__(self, url: str, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.url = url
        self.heads_path = folder / "heads.jsonl"

    @property
    def source(self) -> Source:
        return Source(self.url, self.heads_path, "main")

    @property
    def target(self) -> Target:
        return Target(self.url, self.heads_path, HouseRules(instance="main"), frozenset({SIGNER.key_id}))

    def restore(self, path: Path, *, now: datetime = AT, accept_broken_chain: bool = False) -> Restored:
        return restoration.restore(
            path, self.target, actor=ADMIN, now=now, accept_broken_chain=accept_broken_chain
        )

    def fill(self) -> None:
        """Rows in every table, and an audit whose end is signed."""
        with self.writing() as writer:
            fill(writer)
            with writer.begin() as connection:
                connection.execute(text("DELETE FROM audit_log"))
        self.note("begun")
        self.note("gone on")
        self.sign()

    def go_on(self) -> None:
        """What happens after a backup, signed as well."""
        with self.writing() as writer, writer.begin() as connection:
            connection.execute(text("DELETE FROM events"))
            connection.execute(text("UPDATE devices SET name = 'another'"))
        self.note("afterwards")
        self.note("afterwards too")
        self.sign()

    def note(self, action: str, said: str = "é ✓") -> None:
        """One row of the audit."""
        with self.writing() as writer, Session(writer) as session, session.begin():
            audit.record(session, action, now=NOON, actor=ADMIN, detail={"said": said})

    def sign(self) -> None:
        """Sign the end of the audit as it is."""
        with self.writing() as writer, Session(writer) as session:
            signed = heads.sign(heads.ends(session), SIGNER, by="main", now=NOON)
        headfile.append(self.heads_path, [head.model_dump_json() for head in signed])

    def rows(self, *, schema: str | None = None) -> Rows:
        """Every row of every table."""
        with self.writing(schema=schema) as writer:
            return contents(writer)

    def is_proved(self) -> bool:
        """Whether `orion audit verify` would find nothing."""
        kept, _ = heads.read(headfile.lines_of(self.heads_path))
        with self.writing() as writer:
            found = proof.walk(proof.Stored(lambda: Session(writer)), kept, believed=self.target.believed)
        return all(each.fault is None and each.signed for each in found)

    @contextmanager
    def writing(self, *, schema: str | None = None) -> Iterator[Engine]:
        writer = engine.writer(self.url, schema=schema)
        try:
            yield writer
        finally:
            writer.dispose()


def audited(rows: Rows) -> list[str]:
    """What the audit says, in its order."""
    return [str(row["action"]) for row in sorted(rows["audit_log"], key=lambda row: int(row["number"]))]
