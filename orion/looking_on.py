"""Who is told of a program's work and of its errors: nobody, unless somebody is configured."""

import asyncio
import importlib
import importlib.metadata
import os
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager

from orion.config.settings import Settings
from orion.config.sources import variable
from orion.logs.redaction import Redaction, secrets_of
from orion.verbs import Failure
from schemas.spans import Spans

DISTRIBUTION = "orion-control-plane"
# the standard's own, which its SDK reads by itself
STANDARD = ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT")
EXTRA = "pip install 'orion-control-plane[{}]'"


@asynccontextmanager
async def spans_of(settings: Settings, program: str, instance: str) -> AsyncIterator[Spans]:
    """Spans that reach the collector, if one is configured.

    Raises:
        Failure: one is configured and its library is not installed.
    """
    if settings.otel_endpoint is None and not any(os.environ.get(name) for name in STANDARD):
        yield Spans()
        return
    try:
        telemetry = await asyncio.to_thread(importlib.import_module, "orion.telemetry")
    except ModuleNotFoundError as error:
        raise _missing("otel_endpoint", "otel") from error
    collector = telemetry.Collector(settings.otel_endpoint, program=program, instance=instance)
    try:
        yield Spans(collector.tell)
    finally:
        await asyncio.to_thread(collector.close)


@contextmanager
def errors_told(settings: Settings, program: str) -> Iterator[None]:
    """Inside the block errors are sent to where the settings say, if they do. Blocks for a moment at its end.

    Raises:
        Failure: they say so, and what it takes is not installed.
    """
    if settings.sentry_dsn is None:
        yield
        return
    try:
        from orion import defects
    except ModuleNotFoundError as error:
        raise _missing("sentry_dsn", "sentry") from error
    version = importlib.metadata.version(DISTRIBUTION)
    dsn = settings.sentry_dsn.get_secret_value()
    defects.begin(dsn, program=program, version=version, redaction=Redaction(secrets_of(settings)))
    try:
        yield
    finally:
        defects.end()


def _missing(setting: str, extra: str) -> Failure:
    return Failure(f"{variable(setting)} needs an extra: {EXTRA.format(extra)}", code="not_supported")
