"""The layers around the application, put on from the inside out."""

from collections.abc import Callable
from urllib.parse import urlsplit

from controller.api.access.buckets import PRIVILEGE, Buckets
from controller.api.edge.answers import Answers
from controller.api.edge.asgi import App
from controller.api.edge.bodies import Bodies
from controller.api.edge.doubles import Doubles
from controller.api.edge.hosts import Hosts, own_names
from controller.api.edge.origins import Origins
from controller.api.edge.rates import Rates
from controller.api.edge.room import Full
from controller.settings import ControllerSettings


def around(app: App, settings: ControllerSettings, clock: Callable[[], float]) -> App:
    """An application with the layers around it. `clock`: seconds that only grow."""
    rate, burst = settings.api_rate * PRIVILEGE, settings.api_burst * PRIVILEGE
    bounded: App = Rates(
        Doubles(Bodies(app)), buckets=Buckets(clock, rate=rate, burst=burst), trusted=settings.trusted_proxies
    )
    bounded = Full(bounded)
    if settings.cors_origins:
        # what a page may ask is asked before, and is not counted
        bounded = Origins(bounded, origins=settings.cors_origins)
    names = (*settings.http_names, urlsplit(settings.public_url).hostname or "")
    return Answers(Hosts(bounded, names=own_names(settings.http_host, names)))
