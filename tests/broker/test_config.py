"""The configuration as the supervisor completes it."""

from pathlib import Path

import pytest

from broker import config
from broker.identities import Identities
from broker.settings import BrokerSettings


@pytest.fixture
def settings(tmp_path: Path) -> BrokerSettings:
    made = BrokerSettings(data_dir=tmp_path / "with a space", port=18_883)
    Identities(made.directory).ensure()
    return made


def test_completed_configuration_is_in_order(settings: BrokerSettings) -> None:
    assert config.check(config.write(settings)) == []


def test_base_and_completion_say_nothing_twice(settings: BrokerSettings) -> None:
    names = [
        line.split()[0]
        for line in config.render(settings).splitlines()
        if line.strip() and not line.startswith("#") and not line.startswith("log_type")
    ]
    assert names.count("listener") == 2  # the one for all, and the file for its owner
    names.remove("listener")
    assert len(names) == len(set(names))


def test_small_answers_do_not_wait(settings: BrokerSettings) -> None:
    assert config.parse(config.render(settings))["set_tcp_nodelay"] == "true"


@pytest.mark.parametrize(
    ("found", "instead", "consequence"),
    [
        ("set_tcp_nodelay true", "", "44 ms"),
        ("allow_anonymous false", "allow_anonymous true", "anyone may connect"),
        ("use_username_as_clientid true", "", "take over"),
        ("persistence true", "persistence false", "forgets"),
        ("max_queued_messages 200000", "", "dropped silently"),
        ("max_packet_size 294912", "max_packet_size 1000", "do not fit"),
        ("acl_file ", "# ", "acl_file is not set"),
        ("listener 18883 127.0.0.1", "listener 18883 0.0.0.0", "not encrypted"),
        ("listener 18883 127.0.0.1", "listener 18883", "every address"),
        ("listener 18883 127.0.0.1", "", "nobody can connect"),
    ],
)
def test_each_weakness_is_named(settings: BrokerSettings, found: str, instead: str, consequence: str) -> None:
    path = config.write(settings)
    text = path.read_text()
    assert found in text
    path.write_text(text.replace(found, instead, 1))
    (problem,) = config.check(path)
    assert consequence in problem


def test_readable_password_file_is_named(settings: BrokerSettings) -> None:
    path = config.write(settings)
    (settings.directory / config.PASSWORDS).chmod(0o644)
    (problem,) = config.check(path)
    assert "chmod 600" in problem


def test_missing_configuration_is_named(tmp_path: Path) -> None:
    (problem,) = config.check(tmp_path / "absent.conf")
    assert "cannot be read" in problem


def test_folder_cannot_add_a_line_to_the_configuration(tmp_path: Path) -> None:
    settings = BrokerSettings(data_dir=tmp_path / "a\nallow_anonymous true")
    with pytest.raises(config.ConfigError):
        config.render(settings)


def test_host_cannot_add_a_line_to_the_configuration(tmp_path: Path) -> None:
    with pytest.raises(config.ConfigError):
        config.render(BrokerSettings(data_dir=tmp_path, host="127.0.0.1\nallow_anonymous true"))
