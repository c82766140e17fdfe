"""What is built only where it is set, since what it needs is an extra and takes its time to load."""

import time
from collections.abc import Callable
from datetime import datetime
from typing import TYPE_CHECKING

from controller.api.access.elsewhere import ExtraMissing
from controller.settings import ControllerSettings
from controller.store.store import Store

if TYPE_CHECKING:
    from controller.api.access.oidc.passage import Passage


def elsewhere(settings: ControllerSettings, store: Store, *, now: Callable[[], datetime]) -> "Passage | None":
    """The way to the identity provider; None where none is set. Reads files, so call it off the event loop.

    Raises:
        ExtraMissing: one is set, and what it needs is not installed.
    """
    if settings.oidc is None:
        return None
    try:
        from controller.api.access.oidc.passage import Passage
    except ModuleNotFoundError as error:
        raise ExtraMissing from error
    return Passage(store, settings.oidc, public_url=settings.public_url, clock=time.monotonic, now=now)
