"""What can be said of a device on the command line, wherever one is added, invited or changed."""

from typing import Annotated

import typer

from orion.client import Json

Id = Annotated[str, typer.Argument(metavar="ID", help="The device's id.")]
Name = Annotated[str | None, typer.Option("--name", metavar="NAME", help="What people call it.")]
Aliases = Annotated[
    list[str] | None, typer.Option("--alias", metavar="NAME", help="Another name for it; repeat for more.")
]
Groups = Annotated[
    list[str] | None, typer.Option("--group", metavar="NAME", help="A group it belongs to; repeat for more.")
]
Area = Annotated[str | None, typer.Option("--area", metavar="NAME", help="The room it stands in.")]
Profile = Annotated[
    str | None,
    typer.Option(
        "--profile", metavar="PROFILE", help="How much it may be asked to do: observe, assist or manage."
    ),
]
Paths = Annotated[
    list[str] | None,
    typer.Option("--allow-path", metavar="FOLDER", help="A folder tools may use; repeat for more."),
]
Apps = Annotated[
    list[str] | None, typer.Option("--allow-app", metavar="NAME", help="An application; repeat for more.")
]
Tools = Annotated[
    list[str] | None, typer.Option("--allow-tool", metavar="NAME", help="A tool; repeat for more.")
]


def said(
    name: str | None,
    alias: list[str] | None,
    group: list[str] | None,
    area: str | None,
    profile: str | None,
    allow_path: list[str] | None,
    allow_app: list[str] | None,
    allow_tool: list[str] | None,
) -> Json:
    """What was said, by the names of the API; what was not is not in it."""
    given: Json = {
        "name": name,
        "aliases": alias or None,
        "groups": group or None,
        "area": area,
        "policy": profile,
        "allowed_paths": allow_path or None,
        "allowed_apps": allow_app or None,
        "allowed_tools": allow_tool or None,
    }
    return {key: value for key, value in given.items() if value is not None}
