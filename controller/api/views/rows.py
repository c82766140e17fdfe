"""What all rows have in common as JSON: how their moments are written, and the page that they stand on."""

from collections.abc import Callable
from datetime import datetime
from typing import Any

from controller.services.pages import Page, Row
from schemas.wire import format_instant

Json = dict[str, Any]


def times(view: Json) -> Json:
    """The same, its moments as they are written on the wire."""
    return {
        name: format_instant(value) if isinstance(value, datetime) else value for name, value in view.items()
    }


def page(rows: Page[Row], shown: Callable[[Row], Json]) -> Json:
    """Some rows of a list. `next`: the cursor of the page behind them; null on the last one."""
    return {"items": [shown(row) for row in rows], "next": rows.next}
