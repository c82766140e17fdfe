"""Somebody who signs in at the command line."""

import json
import subprocess
from typing import Any

from orion.signin import Kept
from tests.orion.installation import Installation

PASSWORD, OTHER = "nine lives of a cat", "a dog has only one"


def login(installation: Installation, *lines: str) -> subprocess.CompletedProcess[str]:
    """Sign mia in, who types these lines."""
    return installation.orion("login", "mia", stdin="".join(f"{line}\n" for line in lines))


def changed(kept: Kept, **values: Any) -> None:
    """Write something else into what is kept of a sign-in."""
    kept.path.write_text(json.dumps(json.loads(kept.path.read_text()) | values))
