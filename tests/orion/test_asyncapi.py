"""`orion asyncapi`: a document that the official parser takes, and that stands in docs as it is."""

import json
from pathlib import Path

import pytest
import yaml

from schemas.document.asyncapi import document
from tests import nodejs
from tests.orion.installation import clean_environment, orion

PAGE = Path(__file__).parents[2] / "docs" / "asyncapi.yaml"
NOT_AN_ERROR = "asyncapi-latest-version"  # that there is a newer version of AsyncAPI than 3.0


def test_the_document_in_docs_is_current() -> None:
    printed = orion("asyncapi", environment=clean_environment())

    assert PAGE.read_text(encoding="utf-8") == printed.stdout, "orion asyncapi > docs/asyncapi.yaml"


def test_both_forms_say_the_same_with_this_installations_prefix() -> None:
    environment = clean_environment(ORION_PREFIX="home/orion")

    as_yaml = orion("asyncapi", environment=environment)
    as_json = orion("asyncapi", "--json", environment=environment)

    assert yaml.safe_load(as_yaml.stdout) == json.loads(as_json.stdout) == document("home/orion")
    assert "orion/v1" not in as_yaml.stdout.replace("home/orion/v1", "")


@pytest.mark.parametrize(
    ("settings", "servers"),
    [
        ({}, {"local": "mqtt localhost 1883", "network": "mqtts localhost 8883"}),
        (
            {"ORION_MQTT_PORT": "21883", "ORION_MQTT_TLS_PORT": "28883"},
            {"local": "mqtt localhost 21883", "network": "mqtts localhost 28883"},
        ),
        ({"ORION_MQTT_TLS_PORT": "0"}, {"local": "mqtt localhost 1883"}),
        ({"ORION_MQTT_URL": "mqtts://secret.name:9883"}, {"network": "mqtts broker.example 9883"}),
        ({"ORION_MQTT_URL": "mqtt://secret.name"}, {"local": "mqtt broker.example 1883"}),
    ],
)
def test_it_says_where_this_installations_broker_listens(
    settings: dict[str, str], servers: dict[str, str]
) -> None:
    printed = orion("asyncapi", "--json", environment=clean_environment(**settings)).stdout

    assert "secret.name" not in printed
    found = {
        name: (each["protocol"], *(value["default"] for value in each["variables"].values()))
        for name, each in json.loads(printed)["servers"].items()
    }
    assert {name: " ".join(each) for name, each in found.items()} == servers


def test_the_official_parser_finds_nothing_wrong(node_modules: Path) -> None:
    assert (node_modules / "@asyncapi" / "parser").is_dir()

    told = json.loads(nodejs.run("asyncapi.mjs", str(PAGE)))

    assert [each for each in told["diagnostics"] if each["code"] != NOT_AN_ERROR] == []
    assert dict(told["operations"])["sendDeviceCommand"] == "send"
    assert dict(told["operations"])["receiveDeviceReply"] == "receive"


def test_the_official_parser_would_find_what_is_wrong(node_modules: Path, tmp_path: Path) -> None:
    broken = document()
    del broken["channels"]["deviceCommand"]["messages"]["Command"]
    path = tmp_path / "broken.json"
    path.write_text(json.dumps(broken), encoding="utf-8")

    told = json.loads(nodejs.run("asyncapi.mjs", str(path)))

    assert told["operations"] is None
    assert 0 in {each["severity"] for each in told["diagnostics"]}
