"""What is counted for Prometheus while the controller works, in a registry of its own.

Every label has few values that are known beforehand: nothing that a device, a user or a stranger
can make up becomes one. Counting is a number that grows; whatever must be looked up is looked up
when somebody asks.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from time import perf_counter

from prometheus_client import CollectorRegistry, Counter, Histogram, ProcessCollector
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4, generate_latest
from prometheus_client.registry import Collector

from controller.services.orders import Status
from controller.store.notices import CommandChanged, Notice
from controller.store.store import PoolUse
from controller.store.tables import ToolExecution
from schemas import builtin
from schemas.topics import Kind

CONTENT_TYPE = CONTENT_TYPE_PLAIN_0_0_4
OTHER = "other"  # whatever is not known beforehand
ANSWERED, FAILED, GIVEN_UP = "answered", "failed", "given_up"  # of a request to the model
METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
ANSWERS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)  # seconds
COMMANDS = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 15.0, 60.0, 300.0, 1800.0)
MODELS = (0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 20.0, 40.0, 80.0, 160.0, 300.0)
LAGS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0, 30.0)


@dataclass(frozen=True, slots=True)
class Standing:
    """How things stand at the moment that somebody asks. What is None could not be looked up."""

    devices: Mapping[str, int] | None = None  # by state
    commands: Mapping[str, int] | None = None  # that have not ended, by status
    pools: Mapping[str, PoolUse] = field(default_factory=dict)
    queues: Mapping[str, float] = field(default_factory=dict)
    streams: Mapping[str, int] = field(default_factory=dict)  # open ones, by kind
    unidentified: int = 0  # WebSockets of who has not said yet who they are
    broker: bool = False


class Instruments:
    """The counters of one controller."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry(auto_describe=True)
        self._requests = Counter(
            "http_requests_total",
            "Requests that were answered, by route template and status.",
            ("method", "route", "status"),
            registry=self._registry,
        )
        self._answering = Histogram(
            "http_request_duration_seconds",
            "From a request's arrival to the end of its answer.",
            ("method", "route"),
            buckets=ANSWERS,
            registry=self._registry,
        )
        self._answers: dict[tuple[str, str, int], tuple[Counter, Histogram]] = {}
        messages = Counter(
            "mqtt_messages_total",
            "Messages by kind: in, as they came, also those that were dropped then; out, as they were handed over.",
            ("direction", "kind"),
            registry=self._registry,
        )
        kinds = (*(kind.value for kind in Kind), OTHER)
        self._heard = {kind: messages.labels("in", kind) for kind in kinds}
        self._said = {kind: messages.labels("out", kind) for kind in kinds}
        self._lag = Histogram(
            "mqtt_ingest_lag_seconds",
            "How long the oldest message of a batch was here when the batch was stored.",
            buckets=LAGS,
            registry=self._registry,
        )
        self._ended = Counter(
            "commands_total", "Commands that ended, by how.", ("status",), registry=self._registry
        )
        self._commands = Histogram(
            "command_duration_seconds",
            "From the moment a command might leave to its end.",
            ("tool",),
            buckets=COMMANDS,
            registry=self._registry,
        )
        self._asked = Counter(
            "llm_requests_total", "Requests to the model, by outcome.", ("outcome",), registry=self._registry
        )
        self._thinking = Histogram(
            "llm_duration_seconds",
            "From a request to the model to the end of its reply.",
            ("outcome",),
            buckets=MODELS,
            registry=self._registry,
        )
        # what never happened yet is 0, and not missing, for whoever compares
        for status in Status:
            if status.is_final:
                self._ended.labels(status.value)
        for outcome in (ANSWERED, FAILED, GIVEN_UP):
            self._asked.labels(outcome)
            self._thinking.labels(outcome)

    def answered(self, method: str, route: str, status: int, seconds: float) -> None:
        """A request was answered; `method` and `route` are of those that are known beforehand."""
        known = self._answers.get((method, route, status))
        if known is None:  # to look a series up costs more than to count in it
            series = self._requests.labels(method, route, str(status)), self._answering.labels(method, route)
            known = self._answers[method, route, status] = series
        counter, histogram = known
        counter.inc()
        histogram.observe(seconds)

    def heard(self, kind: Kind | None) -> None:
        """A message came in; None: on a topic that is nobody's."""
        self._heard[OTHER if kind is None else kind.value].inc()

    def said(self, kind: Kind | None) -> None:
        """A message was handed over."""
        self._said[OTHER if kind is None else kind.value].inc()

    def stored(self, lag_s: float) -> None:
        """A batch was stored whose oldest message was here for so long."""
        self._lag.observe(lag_s)

    def hear(self, notice: Notice) -> None:
        """Count a command that has ended."""
        if isinstance(notice, CommandChanged) and notice.final:
            row = notice.command
            self._ended.labels(row.status).inc()
            if (seconds := _on_its_way(row)) is not None:
                self._commands.labels(row.tool_name if row.tool_name in builtin.TOOLS else OTHER).observe(
                    seconds
                )

    def thought(self, outcome: str, seconds: float) -> None:
        """The model was asked. `outcome` is one of few words."""
        self._asked.labels(outcome).inc()
        self._thinking.labels(outcome).observe(seconds)

    def render(self, standing: Standing) -> bytes:
        """Everything in Prometheus' text format. Takes some milliseconds: call it off the event loop."""
        now = CollectorRegistry()
        now.register(_Shown(standing))
        ProcessCollector(registry=now)  # reads files, so not earlier
        return generate_latest(self._registry) + generate_latest(now)


class Stopwatch:
    """Seconds since it was made."""

    def __init__(self) -> None:
        self._began = perf_counter()

    @property
    def seconds(self) -> float:
        return perf_counter() - self._began


def _on_its_way(row: ToolExecution) -> float | None:
    """Seconds; None for a command that never might leave."""
    if row.released_at is None or row.finished_at is None:
        return None
    return max(0.0, (row.finished_at - row.released_at).total_seconds())


class _Shown(Collector):
    """How things stand, for one answer."""

    def __init__(self, standing: Standing) -> None:
        self._standing = standing

    def collect(self) -> Iterable[GaugeMetricFamily]:
        standing = self._standing
        yield _family("mqtt_connected", "Whether the broker is reached.", (), {(): float(standing.broker)})
        if standing.devices is not None:
            yield _family("devices", "Devices by state.", ("state",), _by_one(standing.devices))
        if standing.commands is not None:
            yield _family(
                "commands_open",
                "Commands that have not ended, by status.",
                ("status",),
                _by_one(standing.commands),
            )
        yield _family("streams_open", "Live streams by kind.", ("kind",), _by_one(standing.streams))
        yield _family(
            "websockets_unidentified",
            "WebSockets of whoever has not said yet who they are.",
            (),
            {(): float(standing.unidentified)},
        )
        yield _family("queue_length", "What waits, by queue.", ("queue",), _by_one(standing.queues))
        yield _family(
            "db_pool_connections",
            "Connections with the database.",
            ("pool", "state"),
            dict(_in_pools(standing.pools)),
        )


def _by_one(values: Mapping[str, float]) -> dict[tuple[str, ...], float]:
    return {(name,): value for name, value in values.items()}


def _in_pools(pools: Mapping[str, PoolUse]) -> Iterator[tuple[tuple[str, ...], float]]:
    for name, use in pools.items():
        yield (name, "in_use"), float(use.in_use)
        yield (name, "idle"), float(use.idle)


def _family(
    name: str, said: str, labels: tuple[str, ...], values: Mapping[tuple[str, ...], float]
) -> GaugeMetricFamily:
    family = GaugeMetricFamily(name, said, labels=labels)
    for chosen, value in values.items():
        family.add_metric(chosen, value)
    return family
