"""`orion <noun> <verb>`: the table of nouns, and the way out of the program.

Each noun is one file in `orion.nouns`, which is loaded when it is called or all of them are shown;
nothing here or there loads a program's package before a command needs it.
"""

import contextlib
import errno
import gc
import importlib
import importlib.metadata
import inspect
import io
import os
import sys
from collections.abc import Sequence
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from orion import verbs
from orion.exits import INTERRUPTED, Exit

DISTRIBUTION = "orion-control-plane"
PREFIX = "Value error, "  # pydantic's, of what typer reads with it

HELP = """Say what should happen on your computers and workshop machines, and have it happen safely.

Start everything with `orion up`; then, for instance: orion ask "make a folder Test on my laptop".

Exit codes: 0 done, 1 failed, 2 usage, 3 denied, 4 waits for approval or for its device,
5 offline or expired, 6 unknown outcome.
"""


# what may be said first, and the file that has it; in the order of the help
NOUNS = {
    "up": "programs",
    "broker": "programs",
    "controller": "programs",
    "node": "programs",
    "ask": "ask",
    "devices": "devices",
    "login": "signin",
    "logout": "signin",
    "whoami": "signin",
    "users": "users",
    "commands": "commands",
    "schedules": "schedules",
    "run": "run",
    "undo": "undo",
    "why": "why",
    "trace": "trace",
    "approvals": "approvals",
    "memory": "memory",
    "search": "search",
    "sessions": "sessions",
    "audit": "audit",
    "events": "records",
    "watch": "watch",
    "stats": "stats",
    "doctor": "doctor",
    "conform": "conform",
    "asyncapi": "asyncapi",
    "db": "database",
    "debug-user": "debug",
    "identities": "identities",
    "keys": "keys",
    "signing-keys": "signing_keys",
    "config": "config",
    "demo": "demo",
}


class _Nouns(TyperGroup):
    """All nouns; what is wrong with an option is said without the library's own prefix."""

    def invoke(self, ctx: Any) -> Any:
        try:
            return super().invoke(ctx)
        except typer.BadParameter as error:
            error.message = error.message.removeprefix(PREFIX)
            raise


def build(words: Sequence[str] = ()) -> typer.Typer:
    """The command line; where words begin with a noun, no more of it than that noun."""
    app = typer.Typer(
        cls=_Nouns,
        no_args_is_help=True,
        add_completion=False,
        pretty_exceptions_enable=False,
        rich_markup_mode=None,
        help=HELP,
    )
    app.callback(epilog='Example: orion ask "what is in the folder Test on my laptop?"')(_root())
    called = NOUNS.get(words[0]) if words else None
    for name in dict.fromkeys(NOUNS.values()) if called is None else (called,):
        importlib.import_module(f"orion.nouns.{name}").register(app)
    return app


def version() -> str:
    """The installed version."""
    return importlib.metadata.version(DISTRIBUTION)


def _print_version(asked: bool) -> None:
    if asked:
        typer.echo(f"orion {version()}")
        raise typer.Exit


Version = Annotated[
    bool, typer.Option("--version", help="Print the version.", is_eager=True, callback=_print_version)
]


def _root() -> Any:
    def root(**options: Any) -> None:
        verbs.before_the_noun(options.pop("context"), options)

    first = inspect.Parameter("version", inspect.Parameter.KEYWORD_ONLY, default=False, annotation=Version)
    vars(root)["__signature__"] = inspect.Signature([first, *verbs.COMMON])
    return root


def _write_no_more() -> None:
    """Drop what is still to be written to stdout: Python would complain once more at its end."""
    with contextlib.suppress(OSError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def main() -> None:
    """Run one command. Never returns."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            # a character that this terminal does not have is written as its number
            stream.reconfigure(errors="backslashreplace")
    try:
        build(sys.argv[1:])(prog_name="orion")
    except KeyboardInterrupt:
        sys.exit(INTERRUPTED)
    except BrokenPipeError:  # whoever read our output has gone
        _write_no_more()
        sys.exit(Exit.FAILED)
    except OSError as error:
        if error.errno != errno.ENOSPC:
            raise
        _write_no_more()
        sys.stderr.write("Not everything could be written: there is no room where the output goes.\n")
        sys.exit(Exit.FAILED)
    finally:
        # Python looks through all there is once more as it ends: half a second of a controller's stop
        gc.freeze()


if __name__ == "__main__":
    main()
