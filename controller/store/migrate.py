"""Alembic, driven from code: the schema is brought up to date at every start."""

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy import Engine

SCRIPTS = Path(__file__).parent / "migrations"


def configuration(engine: Engine) -> Config:
    """Alembic's configuration for this database; no ini file is needed."""
    config = Config()
    config.set_main_option("script_location", str(SCRIPTS))
    config.attributes["engine"] = engine
    return config


def newest() -> str:
    """The revision that this program knows."""
    return str(ScriptDirectory(str(SCRIPTS)).get_current_head())


def upgrade(engine: Engine) -> None:
    """Bring the schema to the newest revision. A database of a newer Orion is an error."""
    command.upgrade(configuration(engine), "head")
