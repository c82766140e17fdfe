"""What a controller is told at its start. Values only: `orion` reads environment, file and flags."""

from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, SecretStr

from broker.session import Endpoint
from schemas.ids import Instance
from schemas.topics import DEFAULT_PREFIX


class ModelSettings(BaseModel):
    """The language model. Without one that answers, the offline planner serves."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    host: str = "http://127.0.0.1:11434"
    name: str = "gpt-oss:120b"
    api_key: SecretStr | None = None  # sent to Ollama's own cloud only
    context_tokens: Annotated[int, Field(ge=2_048)] = 16_384
    think: Literal["low", "medium", "high"] | bool | None = "low"  # as the model family knows it
    fast_path: bool = False  # let the offline planner serve first where it is sure


class ControllerSettings(BaseModel):
    """One controller. `identities_dir` is None where the broker is not ours to administer."""

    model_config = ConfigDict(frozen=True, extra="forbid", arbitrary_types_allowed=True)

    data_dir: Path
    endpoint: Endpoint
    identities_dir: Path | None = None
    database_url: str
    instance: Instance = "main"
    prefix: str = DEFAULT_PREFIX
    http_host: str = "127.0.0.1"
    http_port: Annotated[int, Field(ge=0, le=65_535)] = 8180
    heartbeat_s: Annotated[float, Field(gt=0)] = 30.0  # three missed ones make a device stale
    max_skew_s: Annotated[float, Field(gt=0)] = 30.0  # a device's clock that is further away is told of
    device_rate: Annotated[float, Field(gt=0)] = 50.0  # messages a second that a device may send for long
    device_bytes: Annotated[float, Field(gt=0)] = 1_048_576.0  # the same for bytes
    device_pause_s: Annotated[float, Field(gt=0)] = 300.0  # how long one that sends too much is shut out
    model: ModelSettings = ModelSettings()

    @property
    def directory(self) -> Path:
        """What the controller keeps beside its database."""
        return self.data_dir / "controller"

    @property
    def token_path(self) -> Path:
        """The administrator's token for the HTTP API, readable by its owner only."""
        return self.directory / "token"
