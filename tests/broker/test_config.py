"""The configuration as the supervisor completes it."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from broker import certificates, config
from broker.identities import Identities
from broker.settings import BrokerSettings

EVERYWHERE = "0.0.0.0"  # noqa: S104 - written and read, never bound


@pytest.fixture
def settings(tmp_path: Path) -> BrokerSettings:
    made = BrokerSettings(
        data_dir=tmp_path / "a space",
        port=18_883,
        tls_host=EVERYWHERE,
        tls_port=18_884,
        cert_port=18_885,
    )
    Identities(made.directory).ensure()
    certificates.ensure(made.directory, ("localhost",), now=datetime.now(UTC))
    return made


def test_completed_configuration_is_in_order(settings: BrokerSettings) -> None:
    assert config.check(config.write(settings)) == []


def test_base_and_completion_say_nothing_twice(settings: BrokerSettings) -> None:
    general, *listeners = config.render(settings).split("\nlistener ")
    assert len(listeners) == 4
    for part in (general, *listeners):
        names = [
            line.split()[0]
            for line in part.splitlines()
            if line.strip() and not line.startswith("#") and not line.startswith("log_type")
        ]
        assert len(names) == len(set(names))


def test_small_answers_do_not_wait(settings: BrokerSettings) -> None:
    assert config.parse(config.render(settings)).values["set_tcp_nodelay"] == "true"


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
        ("listener 18883 127.0.0.1", "listener 18883 ::", "passwords can be read"),
        ("tls_version tlsv1.2", "tls_version tlsv1.1", "0.0.0.0:18884 (TLS): tls_version is not tlsv1.2"),
        ("tls_version tlsv1.2", "", "broken versions"),
        ("keyfile ", "# ", "it cannot be encrypted"),
        ("require_certificate true", "", "18885 (with a certificate): require_certificate is not true"),
        ("crlfile ", "# ", "a revoked certificate still gets in"),
        ("listener 0 ", "# ", "too long for one"),
    ],
)
def test_each_weakness_is_named(settings: BrokerSettings, found: str, instead: str, consequence: str) -> None:
    path = config.write(settings)
    text = path.read_text()
    assert found in text
    path.write_text(text.replace(found, instead, 1))
    (problem,) = config.check(path)
    assert consequence in problem


def test_configuration_without_listeners_is_named(settings: BrokerSettings) -> None:
    path = config.write(settings)
    path.write_text(path.read_text().partition("\nlistener ")[0])
    (problem,) = config.check(path)
    assert "nobody can connect" in problem


def test_listener_without_a_port_is_named(settings: BrokerSettings) -> None:
    path = config.write(settings)
    path.write_text(path.read_text().replace("listener 18883 127.0.0.1", "listener here"))
    (problem,) = config.check(path)
    assert "no port" in problem


def test_each_listener_has_its_own_settings(settings: BrokerSettings) -> None:
    plain, encrypted, by_certificate = config.parse(config.render(settings)).listeners

    assert (plain.host, plain.port, plain.encrypted) == ("127.0.0.1", 18_883, False)
    assert (encrypted.host, encrypted.port, encrypted.encrypted) == (EVERYWHERE, 18_884, True)
    assert (by_certificate.port, by_certificate.by_certificate) == (18_885, True)
    assert not encrypted.by_certificate
    assert {each.values["max_connections"] for each in (plain, encrypted, by_certificate)} == {"-1"}


@pytest.mark.parametrize("number", [0, 1, 2])
def test_unbound_client_id_is_named_on_each_listener(settings: BrokerSettings, number: int) -> None:
    path = config.write(settings)
    bound = "use_username_as_clientid true"
    parts = path.read_text().split(bound)
    path.write_text(bound.join(parts[: number + 1]) + bound.join(parts[number + 1 :]))
    (problem,) = config.check(path)
    assert "take over" in problem


def test_readable_key_is_named(settings: BrokerSettings) -> None:
    path = config.write(settings)
    (settings.directory / config.SERVER).chmod(0o640)
    problems = config.check(path)
    assert len(problems) == 2
    assert all("chmod 600" in problem for problem in problems)


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
