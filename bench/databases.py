"""Databases that are measured: on the disk, not in memory, where the tests have theirs."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.databases import Databases, databases_of


@contextmanager
def on_disk(kind: str) -> Iterator[Databases]:
    """All databases of one kind; they are gone after the block."""
    disk = Path(tempfile.gettempdir())  # a server's account could not get into the folder below
    with (
        tempfile.TemporaryDirectory(prefix="orion-bench-") as folder,
        databases_of(kind, Path(folder), place=disk) as made,
    ):
        yield made
