"""docker-compose.yml: what it starts, how it is confined; checked by docker itself where it can."""

import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import typer
import yaml

from orion import cli
from orion.config.settings import Settings
from orion.config.sources import variable

FILE = Path(__file__).parents[2] / "docker-compose.yml"
OURS = ("broker", "controller", "place", "node")


@pytest.fixture(scope="module")
def compose() -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load(FILE.read_text(encoding="utf-8"))
    return found


def test_broker_controller_and_node_start_and_the_model_by_its_profile(compose: dict[str, Any]) -> None:
    services = compose["services"]

    assert set(services) == {*OURS, "ollama"}
    assert [name for name in services if "profiles" in services[name]] == ["ollama"]
    assert services["ollama"]["profiles"] == ["ollama"]


@pytest.mark.parametrize("name", OURS)
def test_each_program_is_confined(compose: dict[str, Any], name: str) -> None:
    service = compose["services"][name]

    assert service["user"] == "10001"
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert all(port.startswith("127.0.0.1:") for port in service.get("ports", ()))


@pytest.mark.parametrize("name", OURS)
def test_each_program_is_a_command_with_known_settings(compose: dict[str, Any], name: str) -> None:
    service = compose["services"][name]
    known = {variable(each) for each in Settings.model_fields}

    assert service["command"][0] == "orion"
    assert service["command"][1] in known_commands()
    assert set(service.get("environment", {})) <= known


def known_commands() -> set[str]:
    group: Any = typer.main.get_command(cli.build())
    return set(group.commands)


def test_who_shows_the_owners_token_is_where_the_controller_is(compose: dict[str, Any]) -> None:
    """Without TLS it goes to nobody on another computer."""
    shown = {
        name
        for name in OURS
        if "data:/data" in compose["services"][name]["volumes"]
        and "ORION_HTTP_HOST" in compose["services"][name].get("environment", {})
    }

    assert shown == {"controller", "place"}
    assert compose["services"]["place"]["network_mode"] == "service:controller"


def test_what_others_wait_for_has_a_health_check(compose: dict[str, Any]) -> None:
    services = compose["services"]
    awaited = {
        name
        for service in services.values()
        for name, how in service.get("depends_on", {}).items()
        if how["condition"] == "service_healthy"
    }

    assert awaited == {"broker", "controller"}
    assert all("healthcheck" in services[name] for name in awaited)


def test_the_node_sees_neither_the_token_nor_the_identities(compose: dict[str, Any]) -> None:
    targets = [
        volume["target"] if isinstance(volume, dict) else volume.split(":")[1]
        for volume in compose["services"]["node"]["volumes"]
    ]

    assert targets == ["/data/node", "/data/files"]


def test_volumes_are_declared(compose: dict[str, Any]) -> None:
    used = {
        volume["source"] if isinstance(volume, dict) else volume.split(":")[0]
        for service in compose["services"].values()
        for volume in service.get("volumes", ())
    }

    assert used == set(compose["volumes"])


def test_it_is_what_docker_accepts(compose: dict[str, Any]) -> None:
    assert all({"command", "image"} & set(service) for service in compose["services"].values())
    docker = shutil.which("docker")
    if docker is None or subprocess.run([docker, "compose", "version"], capture_output=True).returncode != 0:
        return  # nothing depends on docker; the rest of this file holds without it
    subprocess.run([docker, "compose", "-f", str(FILE), "config", "--quiet"], check=True, timeout=60)
