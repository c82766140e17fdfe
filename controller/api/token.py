"""The administrator's token: made at first start, in a file that only its owner can read."""

import os
import secrets
from pathlib import Path


def ensure(path: Path) -> str:
    """The token in this file; a new one if there is none yet."""
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        path.chmod(0o600)
        kept = path.read_text(encoding="ascii").strip()
        if kept:
            return kept
        path.unlink()
        return ensure(path)
    with os.fdopen(descriptor, "w", encoding="ascii") as file:
        token = secrets.token_urlsafe(32)
        file.write(token + "\n")
    return token
