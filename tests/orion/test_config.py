"""Settings: which source wins, what is said of a wrong value, what is never shown."""

import json
import os
from pathlib import Path

import pytest

from orion.config import ConfigError, Loaded, Origin, load, programs
from orion.config.document import render
from orion.config.fields import local_device_id
from orion.config.sources import masked_url
from tests.orion.installation import clean_environment, orion

DOCUMENT = Path(__file__).parents[2] / "docs" / "configuration.md"


def entry(loaded: Loaded, name: str) -> tuple[object, Origin]:
    found = next(each for each in loaded.entries() if each.name == name)
    return found.value, found.origin


def a_file(folder: Path, text: str) -> dict[str, str]:
    (folder / "orion.toml").write_text(text, encoding="utf-8")
    return {"ORION_DATA_DIR": str(folder)}


def test_flag_beats_environment_beats_file_beats_default(tmp_path: Path) -> None:
    environment = a_file(tmp_path, "mqtt_port = 1001\nhttp_port = 1002\ninstance = 'file'\n")
    environment |= {"ORION_MQTT_PORT": "2001", "ORION_HTTP_PORT": "2002"}

    loaded = load({"mqtt_port": "3001"}, environment)

    assert entry(loaded, "mqtt_port") == (3001, Origin.FLAG)
    assert entry(loaded, "http_port") == (2002, Origin.ENVIRONMENT)
    assert entry(loaded, "instance") == ("file", Origin.FILE)
    assert entry(loaded, "http_host") == ("127.0.0.1", Origin.DEFAULT)


def test_defaults_follow_the_data_folder(tmp_path: Path) -> None:
    settings = load({"data_dir": str(tmp_path)}, {}).settings

    assert settings.database_url == f"sqlite:///{tmp_path}/controller/orion.db"
    assert settings.allowed_paths == (tmp_path / "files",)
    assert settings.node_policy == tmp_path / "node" / "policy.toml"


def test_folders_in_a_variable_are_divided_as_in_path(tmp_path: Path) -> None:
    environment = {"ORION_ALLOWED_PATHS": os.pathsep.join([str(tmp_path), "~/x"])}

    assert load({}, environment).settings.allowed_paths == (tmp_path, Path.home() / "x")


def test_addresses_and_networks_in_a_variable_are_divided_by_commas(tmp_path: Path) -> None:
    found = load({}, {"ORION_TRUSTED_PROXIES": "10.0.0.5, fd00::/64"}).settings.trusted_proxies

    assert [str(each) for each in found] == ["10.0.0.5/32", "fd00::/64"]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("mqtt_port", "abc"),
        ("trusted_proxies", "the proxy"),
        ("trusted_proxies", "10.0.0.0/33"),
        ("mqtt_port", "70000"),
        ("http_port", "0"),
        ("fast_path", "perhaps"),
        ("device_id", "Not A Device"),
        ("heartbeat_s", "0"),
        ("log_level", "loud"),
        ("prefix", "orion/#"),
        ("mqtt_url", "http://host"),
        ("mqtt_url", "mqtt://host:port"),
        ("instance", "a b"),
        ("database_url", "banana"),
        ("database_url", "mysql://host/name"),
        ("database_url", "postgresql+psycopg://host"),
        ("database_url", "sqlite://"),
        ("database_url", "sqlite:///:memory:"),
        ("cors_origins", "*"),
        ("cors_origins", "https://panel.example.org/page"),
        ("cors_origins", "https://somebody@panel.example.org"),
        ("api_rate", "-1"),
        ("api_burst", "0"),
    ],
)
def test_a_wrong_value_names_the_setting_its_source_and_what_is_right(name: str, value: str) -> None:
    with pytest.raises(ConfigError) as wrong:
        load({}, {f"ORION_{name.upper()}": value})

    said = str(wrong.value)
    assert said.startswith(f"{name} from the environment (ORION_{name.upper()}) cannot be ")
    assert "It must be " in said


@pytest.mark.parametrize("scheme", ["postgres", "postgresql", "postgresql+psycopg"])
def test_a_server_is_named_with_its_driver_or_without(scheme: str) -> None:
    loaded = load({}, {"ORION_DATABASE_URL": f"{scheme}://orion@db/orion?sslmode=require"})

    assert loaded.settings.database_url == "postgresql+psycopg://orion@db/orion?sslmode=require"


def test_a_wrong_value_names_its_flag_or_file(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="from the flag --mqtt-port cannot be 'x'"):
        load({"mqtt_port": "x"}, {})
    with pytest.raises(ConfigError, match=r"from the file .*orion\.toml cannot be 'x'"):
        load({}, a_file(tmp_path, "mqtt_port = 'x'"))


def test_an_unknown_key_is_an_error_that_names_the_nearest_known_one(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"there is no setting 'mqtt_prot'\. Did you mean 'mqtt_port'"):
        load({}, a_file(tmp_path, "mqtt_prot = 1884"))


def test_a_file_that_is_named_must_be_there(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="There is no configuration file"):
        load({}, {"ORION_CONFIG": str(tmp_path / "missing.toml")})


def test_a_broken_file_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"orion\.toml cannot be read"):
        load({}, a_file(tmp_path, "mqtt_port = = 1"))


def test_secrets_are_masked_everywhere(tmp_path: Path) -> None:
    environment = {
        "ORION_MQTT_URL": "mqtts://controller:hush@broker.example:8883",
        "ORION_DATABASE_URL": "postgresql+psycopg://orion:hush@db/orion",
        "OLLAMA_API_KEY": "hush",
        "ORION_NODE_PASSWORD": "hush",
    }

    loaded = load({"data_dir": str(tmp_path)}, environment)

    assert "hush" not in repr([each.value for each in loaded.entries()])
    assert entry(loaded, "mqtt_url")[0] == "mqtts://controller:***@broker.example:8883"
    assert entry(loaded, "ollama_api_key") == ("***", Origin.ENVIRONMENT)


def test_a_wrong_secret_is_not_repeated() -> None:
    with pytest.raises(ConfigError) as wrong:
        load({}, {"ORION_MQTT_URL": "ftp://user:hush@host"})

    assert "hush" not in str(wrong.value)


@pytest.mark.parametrize(
    ("hostname", "device_id"),
    [
        ("My-Laptop.local", "my-laptop"),
        ("Büro PC", "b-ro-pc"),
        ("---", "computer"),
        ("controller-1", "computer"),
        ("x" * 80, "x" * 63),
    ],
)
def test_a_host_name_becomes_a_device_id(hostname: str, device_id: str) -> None:
    assert local_device_id(hostname) == device_id


def test_the_document_is_what_the_list_says() -> None:
    assert DOCUMENT.read_text(encoding="utf-8") == render()


def test_config_show_tells_where_each_value_comes_from(tmp_path: Path) -> None:
    environment = clean_environment(ORION_DATA_DIR=str(tmp_path), ORION_MQTT_PORT="2001")

    shown = orion("--http-port", "3002", "config", "show", "--json", environment=environment)

    items = {each["name"]: each for each in json.loads(shown.stdout)["items"]}
    assert (items["mqtt_port"]["value"], items["mqtt_port"]["origin"]) == (2001, "environment")
    assert (items["http_port"]["value"], items["http_port"]["origin"]) == (3002, "flag")
    assert items["http_host"]["origin"] == "default"


def test_a_wrong_setting_is_a_usage_error(tmp_path: Path) -> None:
    environment = clean_environment(ORION_DATA_DIR=str(tmp_path), ORION_MQTT_PORT="abc")

    done = orion("devices", "list", "--json", environment=environment)

    assert done.returncode == 2
    assert "ORION_MQTT_PORT" in json.loads(done.stdout)["error"]["message"]
    assert "ORION_MQTT_PORT" in done.stderr


def test_who_administers_another_broker_is_told_whole_and_kept_secret(tmp_path: Path) -> None:
    environment = {
        "ORION_DATA_DIR": str(tmp_path),
        "ORION_MQTT_URL": "mqtt://controller-main:own@broker.example:1884",
        "ORION_MQTT_ADMIN_USER": "orion-admin",
        "ORION_MQTT_ADMIN_PASSWORD": "hush",
    }

    told = programs.for_controller(load({}, environment).settings)

    assert told.administrator is not None
    assert (told.administrator.host, told.administrator.port) == ("broker.example", 1884)
    assert (told.administrator.username, told.administrator.password) == ("orion-admin", "hush")
    assert told.endpoint.username == "controller-main"
    assert "hush" not in repr(told)


@pytest.mark.parametrize("missing", ["ORION_MQTT_URL", "ORION_MQTT_ADMIN_USER", "ORION_MQTT_ADMIN_PASSWORD"])
def test_half_an_administrator_is_an_error(tmp_path: Path, missing: str) -> None:
    environment = {
        "ORION_DATA_DIR": str(tmp_path),
        "ORION_MQTT_URL": "mqtt://controller-main:own@broker.example",
        "ORION_MQTT_ADMIN_USER": "orion-admin",
        "ORION_MQTT_ADMIN_PASSWORD": "hush",
    }
    del environment[missing]

    with pytest.raises(ConfigError, match="go together") as wrong:
        programs.for_controller(load({}, environment).settings)
    assert "hush" not in str(wrong.value)


def test_a_node_is_who_the_brokers_url_names(tmp_path: Path) -> None:
    environment = {"ORION_DATA_DIR": str(tmp_path), "ORION_MQTT_URL": "mqtts://nas:hush@broker.example"}

    told = programs.for_node(load({}, environment))

    assert (told.device_id, told.endpoint.username) == ("nas", "nas")
    assert told.directory == tmp_path / "node" / "nas"


@pytest.mark.parametrize(
    ("user", "given"), [("nas", {"ORION_DEVICE_ID": "laptop"}), ("controller-main", {}), ("Some%20One", {})]
)
def test_a_node_that_would_never_be_let_in_says_so_at_its_start(
    tmp_path: Path, user: str, given: dict[str, str]
) -> None:
    url = f"mqtt://{user}:hush@127.0.0.1:1"
    environment = clean_environment(ORION_DATA_DIR=str(tmp_path), ORION_MQTT_URL=url, **given)

    done = orion("node", environment=environment)

    assert done.returncode == 2
    assert "ORION_DEVICE_ID" in done.stderr
    assert "hush" not in done.stderr


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("postgresql://u:secret@h/d?sslmode=require", "postgresql://u:***@h/d?sslmode=require"),
        (
            "postgresql://u@h/d?password=secret&sslpassword=secret",
            "postgresql://u@h/d?password=***&sslpassword=***",
        ),
        ("sqlite:////a/b.db", "sqlite:////a/b.db"),
    ],
)
def test_a_url_is_shown_without_its_passwords(url: str, shown: str) -> None:
    assert masked_url(url) == shown
