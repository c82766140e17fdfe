"""What shows a secret by accident: a `repr`, an error of a library, a line of a log, a command line."""

import io
import logging
from pathlib import Path

import pytest
from pydantic import ValidationError
from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError

from broker.session import Endpoint
from controller.settings import ControllerSettings, ModelSettings
from controller.store import engine
from device_node.settings import NodeSettings
from orion import crew
from orion.config import sources
from orion.config.settings import Settings
from orion.config.sources import ConfigError, Origin, load
from orion.nouns import run
from orion.terminal import Terminal
from schemas.keys import JoinResponse
from schemas.wire import MalformedMessage

SECRET = "hush-hush"
ENVIRONMENT = {
    "ORION_MQTT_URL": f"mqtt://orion:{SECRET}@127.0.0.1:1883",
    "ORION_DATABASE_URL": f"postgresql+psycopg://orion:{SECRET}@127.0.0.1/orion",
    "ORION_MQTT_ADMIN_PASSWORD": SECRET,
    "ORION_NODE_PASSWORD": SECRET,
    "OLLAMA_API_KEY": SECRET,
    "ORION_OTEL_ENDPOINT": f"https://me:{SECRET}@collector.example",
    "ORION_OIDC_CLIENT_SECRET": SECRET,
    "ORION_SENTRY_DSN": f"https://{SECRET}@sentry.example/1",
    "OLLAMA_HOST": f"https://me:{SECRET}@ollama.example",
    "ORION_URL": "https://orion.example.org",  # one that holds a password is refused
}


def test_every_setting_that_may_hold_a_secret_is_tried_here() -> None:
    masked = {
        sources.variable(name)
        for name, field in Settings.model_fields.items()
        if sources.notes(field).get("masking")
    }
    assert masked == set(ENVIRONMENT)
    assert {sources.variable(name) for name in crew.USED_BY} == masked


def test_the_settings_show_no_secret(tmp_path: Path) -> None:
    loaded = load({"data_dir": tmp_path}, ENVIRONMENT)

    shown = f"{loaded!r} {loaded.settings} {loaded.settings!r} {loaded.entries()}"
    assert str(tmp_path) in shown
    assert SECRET not in shown


@pytest.mark.parametrize("variable", sorted(ENVIRONMENT))
def test_a_secret_in_the_wrong_form_is_refused_without_saying_it(tmp_path: Path, variable: str) -> None:
    environment = {**ENVIRONMENT, variable: f"  nonsense://x:{SECRET}@ [ ", "ORION_MQTT_PORT": "x"}
    with pytest.raises(ConfigError) as told:
        load({"data_dir": tmp_path}, environment)

    assert SECRET not in str(told.value)
    assert told.value.__cause__ is None


@pytest.mark.parametrize(
    ("flag", "variable"),
    [
        ("mqtt_url", "ORION_MQTT_URL"),
        ("database_url", "ORION_DATABASE_URL"),
        ("otel_endpoint", "ORION_OTEL_ENDPOINT"),
    ],
)
def test_a_password_in_a_flag_is_refused_with_the_remedy(tmp_path: Path, flag: str, variable: str) -> None:
    with pytest.raises(ConfigError, match=variable) as told:
        load({"data_dir": tmp_path, flag: ENVIRONMENT[variable]}, {})

    assert SECRET not in str(told.value)


def test_an_address_without_a_password_may_be_a_flag(tmp_path: Path) -> None:
    loaded = load({"data_dir": tmp_path, "mqtt_url": "mqtt://user@elsewhere:1884"}, {})

    assert loaded.origins["mqtt_url"] is Origin.FLAG


def test_what_the_programs_are_told_shows_no_secret(tmp_path: Path) -> None:
    endpoint = Endpoint("127.0.0.1", 1883, "orion", SECRET)
    controller = ControllerSettings(
        data_dir=tmp_path,
        endpoint=endpoint,
        database_url=ENVIRONMENT["ORION_DATABASE_URL"],
        model=ModelSettings.model_validate(
            {"host": ENVIRONMENT["OLLAMA_HOST"], "api_key": SECRET},
        ),
    )
    node = NodeSettings(
        data_dir=tmp_path, device_id="laptop", endpoint=endpoint, policy_path=tmp_path / "policy.toml"
    )

    assert SECRET not in f"{endpoint!r} {controller!r} {controller} {node!r} {node}"
    assert controller.model.shown_host == "https://ollama.example"


def test_settings_that_do_not_fit_are_told_without_their_values(tmp_path: Path) -> None:
    wrong = {"data_dir": tmp_path, "endpoint": SECRET, "database_url": 1, "device_id": SECRET * 9}
    for model in (ControllerSettings, NodeSettings):
        with pytest.raises(ValidationError) as told:
            model.model_validate(wrong)
        assert SECRET not in str(told.value)


@pytest.mark.parametrize("text", ["http://127.0.0.1:11434", "https://ollama.example/api", "ollama.example"])
def test_a_host_without_a_password_is_shown_as_it_is(text: str) -> None:
    assert ModelSettings(host=text).shown_host == text


def test_a_message_that_holds_a_password_says_neither_in_a_repr_nor_in_an_error() -> None:
    said = JoinResponse.model_construct(device_id="laptop", password=SECRET, ca="", keys=[])
    assert SECRET not in f"{said!r} {said}"

    with pytest.raises(MalformedMessage) as told:
        JoinResponse.decode(f'{{"device_id": "laptop", "password": ["{SECRET}"]}}'.encode())
    assert SECRET not in str(told.value)
    assert SECRET not in logged(told.value)


def test_a_statement_that_fails_is_logged_without_its_values(tmp_path: Path) -> None:
    made = engine.writer(engine.sqlite_url(tmp_path / "orion.db"))
    with made.begin() as connection:
        connection.execute(text("CREATE TABLE kept (value TEXT CHECK (value = 'x'))"))
    with pytest.raises(SQLAlchemyError) as told, made.begin() as connection:
        connection.execute(text("INSERT INTO kept VALUES (:value)"), {"value": SECRET})
    made.dispose()

    assert "INSERT INTO kept" in logged(told.value)
    assert SECRET not in logged(told.value)


@pytest.mark.parametrize(
    ("program", "knows"),
    [
        ("broker", {"ORION_SENTRY_DSN"}),
        ("node", {"ORION_MQTT_URL", "ORION_NODE_PASSWORD", "ORION_OTEL_ENDPOINT", "ORION_SENTRY_DSN"}),
        ("controller", set(ENVIRONMENT) - {"ORION_NODE_PASSWORD", "ORION_URL"}),
    ],
)
def test_each_program_is_told_its_own_secrets_only(program: str, knows: set[str]) -> None:
    told = crew.for_program(program, {**ENVIRONMENT, "PATH": "/bin"})

    assert set(told) == knows | {"PATH"}


def test_the_secrets_of_a_collector_are_for_those_who_tell_it_something() -> None:
    headers = {"OTEL_EXPORTER_OTLP_HEADERS": f"authorization={SECRET}"}

    assert crew.for_program("broker", headers) == {}
    assert crew.for_program("controller", headers) == crew.for_program("node", headers) == headers


def test_a_secret_argument_on_the_command_line_is_warned_of_and_can_come_from_stdin(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    properties = {"pin": {"type": "string", "writeOnly": True}, "on": {"type": "boolean"}}
    monkeypatch.setattr("sys.stdin", io.StringIO(f"{SECRET}\n"))

    assert run._asked(Terminal(), ["pin=-", "on=-"], properties) == [f"pin={SECRET}", "on=-"]
    assert capsys.readouterr().err == ""
    assert run._asked(Terminal(), [f"pin={SECRET}"], properties) == [f"pin={SECRET}"]
    warned = capsys.readouterr().err
    assert "say pin=- instead" in " ".join(warned.split())
    assert SECRET not in warned


def logged(error: BaseException) -> str:
    """The lines that `logger.exception` writes."""
    written = io.StringIO()
    handler = logging.StreamHandler(written)
    handler.handle(
        logging.LogRecord(
            "x", logging.ERROR, "x", 1, "It failed", (), (type(error), error, error.__traceback__)
        )
    )
    return written.getvalue()
