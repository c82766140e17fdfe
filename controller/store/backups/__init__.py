"""Backups of the database: made while it is used, checked, listed, put back whole or not at all."""

from controller.store.backups.archive import check, manifest_of, unpack
from controller.store.backups.errors import (
    BackupUnusable,
    ChainBroken,
    DatabaseInUse,
    NotBackedUp,
    NotRestored,
    ToolMissing,
)
from controller.store.backups.making import RESERVE, Made, Source, Tell, make
from controller.store.backups.manifest import DATABASE, HEADS, Manifest, file_name
from controller.store.backups.shelf import Kept, of, on, prune
from controller.store.backups.snapshot import counted
from controller.store.backups.staging import Place, held

__all__ = [
    "DATABASE",
    "HEADS",
    "RESERVE",
    "BackupUnusable",
    "ChainBroken",
    "DatabaseInUse",
    "Kept",
    "Made",
    "Manifest",
    "NotBackedUp",
    "NotRestored",
    "Place",
    "Source",
    "Tell",
    "ToolMissing",
    "check",
    "counted",
    "file_name",
    "held",
    "make",
    "manifest_of",
    "of",
    "on",
    "prune",
    "unpack",
]
