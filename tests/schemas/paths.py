"""The table of paths that controller and node share: what is asked for, what is allowed, what comes of it."""

import json
from pathlib import Path
from typing import Any

TABLE: list[dict[str, Any]] = json.loads(Path(__file__).with_name("paths.json").read_text(encoding="utf-8"))
