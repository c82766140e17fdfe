"""The signed heads of the audit, in a file beside the database: lines are added, never changed.

Who can write the database only cannot write it, so a chain that was shortened or computed anew is found out.
"""

import os
from collections.abc import Iterable
from pathlib import Path

from broker import files


def append(path: Path, lines: Iterable[str]) -> None:
    """Add lines and flush them. One that broke off in a power cut is left standing by itself. Blocks."""
    descriptor = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT, 0o600)
    with os.fdopen(descriptor, "r+b", buffering=0) as file:
        end = file.seek(0, os.SEEK_END)
        broken = False
        if end:
            file.seek(end - 1)
            broken = file.read(1) != b"\n"
        file.write(("\n" * broken + "".join(f"{line}\n" for line in lines)).encode())
        os.fsync(descriptor)
    files.make_private(path)


def lines_of(path: Path) -> list[str]:
    """All lines, the oldest first; none where there is no file."""
    try:
        return path.read_text(encoding="utf-8", errors="replace").splitlines()
    except FileNotFoundError:
        return []
