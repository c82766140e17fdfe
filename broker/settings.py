"""Where the broker of one installation lives and what it may take.

Values only: nothing here reads the environment, `orion` composes them from its sources.
"""

from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from broker import process
from schemas.topics import DEFAULT_PREFIX

Port = Annotated[int, Field(ge=1, le=65_535)]


class BrokerSettings(BaseModel):
    """One supervised Mosquitto. It listens on loopback unless `host` and `tls_host` say otherwise.

    Without `tls_port` and `cert_port` nothing is encrypted and no certificates are made. Who
    connects to `cert_port` is let in by a client certificate, without a password.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    data_dir: Path
    host: str = "127.0.0.1"
    port: Port = 1883
    tls_host: str = "127.0.0.1"  # of both encrypted listeners
    tls_port: Port | None = None
    tls_names: tuple[str, ...] = ()  # the certificate is for these beside this computer's own
    cert_port: Port | None = None
    prefix: str = DEFAULT_PREFIX
    binary: Path | None = None  # found on the PATH and in the usual places when None
    max_connections: Annotated[int, Field(ge=-1)] = -1  # on each listener; -1 is no limit
    memory_limit: Annotated[int, Field(ge=0)] = 0  # bytes; 0 is no limit
    start_within_s: Annotated[float, Field(gt=0)] = 10.0
    stop_within_s: Annotated[float, Field(gt=0)] = 3.0

    @property
    def directory(self) -> Path:
        """Everything of the broker: configuration, identities, database, locks."""
        return self.data_dir / "broker"

    @property
    def encrypted(self) -> bool:
        """Whether there is a listener that needs certificates."""
        return self.tls_port is not None or self.cert_port is not None

    @property
    def addresses(self) -> dict[str, tuple[str, int]]:
        """Where it listens, by the name of the setting that says the port."""
        found = {"mqtt_port": (self.host, self.port)}
        if self.tls_port is not None:
            found["mqtt_tls_port"] = (self.tls_host, self.tls_port)
        if self.cert_port is not None:
            found["mqtt_cert_port"] = (self.tls_host, self.cert_port)
        return found

    @property
    def config_path(self) -> Path:
        return self.directory / process.CONFIG_FILE

    @property
    def pid_path(self) -> Path:
        return self.directory / process.PID_FILE
