"""How every command of `orion` is made: the settings' flags, `--json`, an example, one way to fail.

A command is a function of an `Invocation` and its own options that returns an exit code. The
flags of the settings may stand before the noun or after the verb; the nearer one wins.
"""

import functools
import inspect
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from typing import Annotated, Any

import typer

from broker.addresses import reachable
from orion.client import Client, ClientError
from orion.config.addresses import token_path
from orion.config.settings import Settings
from orion.config.sources import ConfigError, Loaded, flag, load
from orion.exits import Exit
from orion.terminal import Terminal

PANEL = "Settings"
_OURS = "setting_"
_NOT_GIVEN: tuple[Any, ...] = (None, False, [], ())
# Named in the help of every command; the others work as well, and `orion config show` lists them.
_SHOWN = frozenset({"data_dir", "mqtt_host", "mqtt_port", "http_host", "http_port"})


class Failure(Exception):
    """A command ends here: a sentence for a person, a code for programs, an exit code."""

    def __init__(self, sentence: str, *, code: str = "failed", exit_code: Exit = Exit.FAILED) -> None:
        super().__init__(sentence)
        self.code = code
        self.exit_code = exit_code


@dataclass
class Invocation:
    """One call of the command line: what was said besides the command's own options."""

    terminal: Terminal = field(default_factory=Terminal)
    flags: Mapping[str, Any] = field(default_factory=dict)
    file: str | None = None

    @cached_property
    def loaded(self) -> Loaded:
        """The settings in force.

        Raises:
            ConfigError: one of them is wrong.
        """
        return load(self.flags, file=self.file)

    @property
    def settings(self) -> Settings:
        return self.loaded.settings

    @cached_property
    def client(self) -> Client:
        """The controller of this installation."""
        return client_of(self.settings)


def client_of(settings: Settings, *, as_owner: bool = False) -> Client:
    """The way to an installation's controller.

    As the owner of its data folder, whoever has signed in there: then to the one of this computer, too.
    """
    return Client(
        reachable(settings.http_host),
        settings.http_port,
        token_path(settings),
        as_owner=as_owner,
        url=None if as_owner else settings.url,
        ca=settings.url_ca,
    )


Command = Callable[..., int | None]
JsonFlag = Annotated[bool, typer.Option("--json", help="One JSON object on stdout, for programs.")]


def setting_options(also: Collection[str] = ()) -> list[inspect.Parameter]:
    """The flags of all settings, as parameters of a command; `also` are shown in its help."""
    options = [
        _parameter(
            "config_file", str | None, typer.Option("--config", help="Configuration file.", hidden=True)
        )
    ]
    for name, setting in Settings.model_fields.items():
        if (spelled := flag(name)) is None:
            continue
        shown = typer.Option(
            spelled,
            metavar="VALUE",
            help=setting.description,
            hidden=name not in _SHOWN and name not in also,
            rich_help_panel=PANEL,
            show_default=False,
        )
        kind = list[str] | None if name == "allowed_paths" else str | None
        options.append(_parameter(_OURS + name, kind, shown))
    return options


def _parameter(name: str, kind: Any, option: Any, default: Any = None) -> inspect.Parameter:
    return inspect.Parameter(
        name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=Annotated[kind, option]
    )


def _common(also: Collection[str] = ()) -> list[inspect.Parameter]:
    return [
        inspect.Parameter("context", inspect.Parameter.KEYWORD_ONLY, annotation=typer.Context),
        inspect.Parameter("as_json", inspect.Parameter.KEYWORD_ONLY, default=False, annotation=JsonFlag),
        *setting_options(also),
    ]


COMMON = _common()


def verb(
    app: typer.Typer, name: str, *, example: str, hidden: bool = False, shown: Collection[str] = ()
) -> Callable[[Command], Command]:
    """Register a function as the command `name` of a noun. `example`: one a line.

    `shown` are settings that its help names beside those that every help names.
    """
    examples = example.replace("\n", "\n         ")  # under each other

    def register(function: Command) -> Command:
        app.command(name, epilog=f"\b\nExample: {examples}", hidden=hidden)(_runner(function, shown))
        return function

    return register


def _runner(function: Command, shown: Collection[str] = ()) -> Callable[..., None]:
    """A command as Typer calls it."""

    @functools.wraps(function)
    def run(**options: Any) -> None:
        own, invocation = _split(options)
        with failing(invocation.terminal):
            raise typer.Exit(function(invocation, **own) or Exit.DONE)

    vars(run)["__signature__"] = _signature(function, shown)
    return run


def _signature(function: Command, shown: Collection[str] = ()) -> inspect.Signature:
    own = list(inspect.signature(function).parameters.values())[1:]
    kept = [each.replace(kind=inspect.Parameter.KEYWORD_ONLY) for each in own]
    return inspect.Signature([*kept, *(_common(shown) if shown else COMMON)])


def noun(app: typer.Typer, name: str, meaning: str) -> typer.Typer:
    """A group of commands about one thing."""
    group = typer.Typer(no_args_is_help=True, help=meaning)
    app.add_typer(group, name=name)
    return group


def noun_that_runs(app: typer.Typer, name: str, function: Command, *, example: str) -> typer.Typer:
    """A group whose name alone is a command as well."""
    group = typer.Typer()
    run = _runner(function)

    @functools.wraps(run)
    def alone(**options: Any) -> None:
        context: typer.Context = options["context"]
        if context.invoked_subcommand is None:
            run(**options)
        else:
            said = {name: value for name, value in options.items() if name != "context"}
            earlier = context.find_root().obj or {}
            context.find_root().obj = earlier | {
                name: value for name, value in said.items() if value not in _NOT_GIVEN
            }

    vars(alone)["__signature__"] = _signature(function)
    group.callback(invoke_without_command=True, epilog=f"\b\nExample: {example}")(alone)
    app.add_typer(group, name=name)
    return group


def before_the_noun(context: typer.Context, options: dict[str, Any]) -> None:
    """Keep what was said before the noun for the command that follows."""
    context.obj = {name: value for name, value in options.items() if value not in _NOT_GIVEN}


@contextmanager
def failing(terminal: Terminal) -> Iterator[None]:
    """Turn what a command raises into a sentence on stderr, an object for programs, an exit code."""
    try:
        yield
    except (ClientError, Failure) as error:
        _say(terminal, str(error), error.code, error.exit_code)
    except ConfigError as error:
        _say(terminal, str(error), "configuration", Exit.USAGE)
    except OSError as error:
        if error.filename is None:  # not a file or folder that somebody named
            raise
        _say(terminal, f"{error.filename} cannot be used: {error.strerror}.", "failed", Exit.FAILED)


def _say(terminal: Terminal, sentence: str, code: str, exit_code: Exit) -> None:
    terminal.answer({"error": {"code": code, "message": sentence}})
    terminal.say(sentence)
    raise typer.Exit(exit_code)


def _split(options: dict[str, Any]) -> tuple[dict[str, Any], Invocation]:
    context: typer.Context = options.pop("context")
    earlier: dict[str, Any] = context.find_root().obj or {}
    earlier = earlier if isinstance(earlier, dict) else {}
    as_json = options.pop("as_json") or earlier.get("as_json", False)
    file = options.pop("config_file") or earlier.get("config_file")
    flags: dict[str, Any] = {}
    for name in [each for each in options if each.startswith(_OURS)]:
        value = options.pop(name)
        value = earlier.get(name) if value in _NOT_GIVEN else value
        if value not in _NOT_GIVEN:
            flags[name.removeprefix(_OURS)] = value
    return options, Invocation(Terminal(json=as_json), flags, file)
