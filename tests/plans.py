"""How a database would find what is asked for: by which index, and whether it has to sort."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from sqlalchemy import event
from sqlmodel import Session


@dataclass(frozen=True, slots=True)
class Plan:
    """One query's plan, a step a line, in the database's words."""

    steps: tuple[str, ...]

    @property
    def by_index(self) -> bool:
        """Whether no table is read from its beginning to its end."""
        whole = ("SCAN ", "Seq Scan")
        return bool(self.steps) and not any(
            any(word in step for word in whole) and "USING" not in step for step in self.steps
        )

    @property
    def sorts(self) -> bool:
        """Whether rows are put in order after they were read; those that an index holds side by side may be."""
        whole = ("USE TEMP B-TREE FOR ORDER BY", "Sort  (")
        return any(step.lstrip(" ->").startswith(whole) for step in self.steps)


def explained(session: Session, ask: Callable[[], object], *, table: str) -> Plan:
    """The plan of the first query of `ask` that looks into this table.

    A small table is read whole and sorted by PostgreSQL, whatever indexes it has; here only if it must.
    """
    steps: list[str] = []
    engine: Any = session.get_bind()
    server = engine.dialect.name == "postgresql"

    def explain(_connection: object, cursor: Any, statement: str, parameters: Any, *_rest: object) -> None:
        if steps or f"FROM {table}" not in statement:
            return
        if server:
            cursor.execute("SET LOCAL enable_seqscan = off; SET LOCAL enable_sort = off")
            cursor.execute(f"EXPLAIN {statement}", parameters)
            steps.extend(row[0] for row in cursor.fetchall())
        else:
            steps.extend(row[3] for row in cursor.execute(f"EXPLAIN QUERY PLAN {statement}", parameters))

    event.listen(engine, "before_cursor_execute", explain)
    try:
        ask()
    finally:
        event.remove(engine, "before_cursor_execute", explain)
    return Plan(tuple(steps))
