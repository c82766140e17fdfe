"""Alembic's entry: runs the revisions on the engine that `migrate` hands over."""

from typing import Any, Literal

from alembic import context
from alembic.autogenerate.api import AutogenContext
from sqlalchemy import JSON, String

from controller.store import engine, fulltext, triggers
from controller.store.tables import METADATA
from controller.store.types import UtcTime


def render_item(kind: str, item: Any, autogen: AutogenContext) -> str | Literal[False]:
    """Write our column types into new revisions by name, not spelled out."""
    if kind != "type":
        return False
    if isinstance(item, UtcTime):
        autogen.imports.add("from controller.store.types import UtcTime")
        return "UtcTime()"
    if isinstance(item, JSON):
        autogen.imports.add("from controller.store.types import JsonColumn")
        return "JsonColumn"
    return "sa.String()" if isinstance(item, String) or type(item).__name__ == "AutoString" else False


def run() -> None:
    """Run every revision that is missing, in one transaction."""
    with engine.rebuilding(context.config.attributes["engine"]) as connection:
        context.configure(
            connection=connection,
            target_metadata=METADATA,
            render_as_batch=True,
            render_item=render_item,
            include_name=lambda name, kind, _within: kind != "table" or not fulltext.is_derived(name),
            on_version_apply=triggers.Kept().after_a_step,
        )
        context.run_migrations()


run()
