"""The command line as a whole: every command has an example, --json and the settings' flags."""

import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from orion import cli
from tests.orion.installation import ORION, clean_environment, orion

NOUNS = (
    "up", "broker", "controller", "node", "ask", "run", "undo", "why", "trace", "doctor", "conform", "demo",
    "devices list", "devices show", "devices add", "devices adopt", "devices resume", "devices remove", "devices policy",
    "users list", "users add", "users role", "users grant", "users ungrant", "users rotate", "users remove",
    "users password", "users link", "users unlink", "users disable", "users enable", "login", "logout", "whoami",
    "schedules add", "schedules list", "schedules show", "schedules runs", "schedules pause", "schedules resume", "schedules remove",
    "commands list", "commands queue", "commands show", "commands cancel",
    "approvals list", "approvals show", "approvals approve", "approvals deny",
    "audit export", "audit list", "audit verify", "events list", "events ack", "events resolve", "watch", "debug-user create", "debug-user remove", "config show",
    "devices link", "devices unlink", "devices impact", "devices history", "devices invite", "devices certificate", "node join", "keys list", "keys create", "keys revoke",
    "signing-keys list", "signing-keys rotate", "signing-keys new",
    "memory set", "memory get", "memory list", "memory search", "memory forget",
    "search", "sessions list", "sessions show", "sessions end",
    "conform", "devices revoke", "devices rotate", "identities list", "identities rotate",
    "audit archive", "db status", "db migrate", "db clean", "db move", "db backup", "db backups", "db verify", "db restore",
    "stats tools", "stats devices", "stats failures", "asyncapi",
)  # fmt: skip


def commands_of(group: Any, words: tuple[str, ...] = ()) -> Iterator[tuple[str, Any]]:
    for name, command in group.commands.items():
        if hasattr(command, "commands"):
            if command.invoke_without_command:
                yield " ".join((*words, name)), command
            yield from commands_of(command, (*words, name))
        else:
            yield " ".join((*words, name)), command


ALL = dict(commands_of(typer.main.get_command(cli.build())))


def test_every_command_of_the_specification_is_there() -> None:
    assert set(ALL) == set(NOUNS)


@pytest.mark.parametrize("noun", cli.NOUNS)
def test_of_what_begins_with_a_noun_all_is_there_and_of_others_nothing(noun: str) -> None:
    built = set(dict(commands_of(typer.main.get_command(cli.build([noun, "list"])))))
    together = {name for name, file in cli.NOUNS.items() if file == cli.NOUNS[noun]}

    assert built == {name for name in ALL if name.split()[0] in together}


@pytest.mark.parametrize("name", NOUNS)
def test_the_help_of_each_command_has_an_example_and_json(name: str) -> None:
    words = name.split()
    shown = CliRunner().invoke(cli.build(words), [*words, "--help"])

    assert shown.exit_code == 0
    assert f"Example: orion {name.split()[0]}" in " ".join(shown.output.split())
    assert "--json" in shown.output
    assert "--data-dir" in shown.output


@pytest.mark.parametrize("name", NOUNS)
def test_the_settings_flags_work_on_each_command(name: str) -> None:
    spelled = {option for parameter in ALL[name].params for option in parameter.opts}

    assert {"--json", "--data-dir", "--mqtt-port", "--http-port", "--mqtt-url", "--model"} <= spelled


@pytest.mark.parametrize("name", NOUNS)
def test_each_command_says_what_it_does(name: str) -> None:
    assert ALL[name].help


def test_secrets_have_no_flag() -> None:
    spelled = {option for command in ALL.values() for each in command.params for option in each.opts}

    assert not {"--ollama-api-key", "--node-password"} & spelled


def test_the_version_is_printed() -> None:
    done = orion("--version", environment=clean_environment())

    assert (done.returncode, done.stdout.split()[0]) == (0, "orion")


@pytest.mark.parametrize(
    "words", [["nonsense"], ["devices", "nonsense"], ["devices", "list", "--nonsense"], ["run"]]
)
def test_what_does_not_exist_is_a_usage_error(words: list[str]) -> None:
    done = orion(*words, environment=clean_environment())

    assert (done.returncode, done.stdout) == (2, "")


@pytest.mark.parametrize("words", [["search", "x", "--kind"], ["events", "list", "--severity"]])
def test_a_word_that_is_none_of_a_list_is_said_plainly(words: list[str]) -> None:
    done = orion(*words, "nope", environment=clean_environment())

    assert done.returncode == 2
    assert f"Invalid value for '{words[-1]}': 'nope' is not one of '" in done.stderr


def test_a_short_command_loads_no_program() -> None:
    """What makes `orion devices list` feel instant: the programs' packages stay unloaded."""
    code = (
        "import sys; from orion import cli; cli.build(); "
        "print([name for name in ('fastapi', 'sqlalchemy', 'hassil', 'httpx', 'aiomqtt', 'paho', "
        "'rich', 'psutil', 'asyncio', 'broker.session', 'device_node', 'pydantic_settings') if name in sys.modules])"
    )
    done = subprocess.run(
        [ORION[0], "-c", code], capture_output=True, text=True, check=True, env=clean_environment()
    )

    assert done.stdout.strip() == "[]", sys.version


@pytest.mark.parametrize("name", ["up", "broker"])
def test_who_runs_the_broker_is_shown_where_it_listens(name: str) -> None:
    shown = CliRunner().invoke(cli.build([name]), [name, "--help"], env={"COLUMNS": "200"}).output

    for each in ("tls-host", "tls-port", "tls-names", "cert-port"):
        assert f"--mqtt-{each}" in shown
    assert "`orion config show` lists them all" in " ".join(shown.split())
