"""Who is told of a program's work: nobody, unless a collector of traces is configured."""

import asyncio
import importlib
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from orion.config.settings import Settings
from orion.config.sources import variable
from orion.verbs import Failure
from schemas.spans import Spans

# the standard's own, which its SDK reads by itself
STANDARD = ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT")
EXTRA = "pip install 'orion-control-plane[otel]'"


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
        raise Failure(
            f"{variable('otel_endpoint')} needs what is an extra: {EXTRA}", code="not_supported"
        ) from error
    collector = telemetry.Collector(settings.otel_endpoint, program=program, instance=instance)
    try:
        yield Spans(collector.tell)
    finally:
        await asyncio.to_thread(collector.close)
