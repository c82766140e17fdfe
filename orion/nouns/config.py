"""`orion config`: which settings are in force, and where each came from."""

import typer

from orion.verbs import Invocation, noun, verb


def register(app: typer.Typer) -> None:
    """Add the noun."""
    group = noun(app, "config", "Look at the settings.")
    verb(group, "show", example="orion config show --json")(show)


def show(invocation: Invocation) -> None:
    """Every setting, its value, and whether it comes from a flag, the environment, the file or the default.

    Secrets are shown as ***.
    """
    loaded = invocation.loaded
    items = [
        {
            "name": entry.name,
            "value": entry.value,
            "origin": entry.origin.value,
            "unit": entry.unit,
            "description": entry.description,
        }
        for entry in loaded.entries()
    ]
    terminal = invocation.terminal
    if terminal.answer({"file": str(loaded.file) if loaded.file else None, "items": items}):
        return
    columns = {"name": "name", "value": "value", "unit": "unit", "origin": "from"}
    terminal.items(items, columns, none="There are no settings.")
    if loaded.file is not None:
        terminal.say(f"The file is {loaded.file}")
