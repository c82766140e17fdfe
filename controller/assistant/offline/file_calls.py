"""Clauses about files and folders: what their templates caught becomes calls."""

import re
from collections.abc import Callable
from dataclasses import replace

from pydantic import JsonValue

from controller.assistant.offline.caught import Caught
from controller.assistant.offline.draft import Context, Draft, Reject
from controller.assistant.offline.paths import (
    folder_of,
    is_file_name,
    is_hidden,
    is_site,
    join,
    looks_like_folder,
)
from controller.assistant.offline.tokens import PATH, QUOTED
from controller.assistant.offline.wording import (
    INDEFINITE,
    PUTTING,
    SAVING,
)

_ON_PAPER = re.compile(r"\.(?:pdf|docx?|odt|xlsx?|ods|pptx?|jpe?g|png)$", re.IGNORECASE)
_VERBAL = re.compile(r"(?:en|ed|gaan|staan|zien|doen|t|ing)$")


def _definite(found: Caught, slot: str) -> bool:
    """Whether something that is there is meant: "zet het bestand a.txt in B" moves, "zet een bestand" makes."""
    lead = {each.word for each in found.before(slot)}
    return bool(lead & (PUTTING | SAVING)) and not lead & INDEFINITE


def _goes_on(found: Caught, slot: str) -> bool:
    """Whether a wish may end in a verb: "ik wil de map Test archiveren" is no name of two words."""
    rest = [
        each
        for each in found.span(slot)[1:]
        if not (each.upper or each.stops) and each.code not in {QUOTED, PATH}
    ]
    new = {each.word for each in found.before(slot)} & INDEFINITE
    return any(not new or _VERBAL.search(each.word) for each in rest)


def _create_directory(found: Caught) -> list[Draft]:
    slot = next(
        each for each in ("newnames", "newname", "bare", "filepath", "paths", "path") if each in found.slots
    )
    if _definite(found, slot) and "er" not in found.said:
        raise Reject
    if slot == "bare":
        names = [found.before_noun("bare")]
    else:
        names = found.many(slot) if slot.endswith("s") else [found.one(slot)]
    if "wish" in found.fixed and _goes_on(found, slot):
        raise Reject
    parent = found.parent()
    paths = [join(parent, name) for name in names]
    if len(paths) == 1:
        found.after = Context(folder=paths[0], thing=paths[0])
    return [Draft("create_directory", {"path": path}) for path in paths]


def _write_file(found: Caught) -> list[Draft]:
    content = found.raw("text") if "text" in found.slots else ""
    if "words" in found.slots:
        content = found.cut(found.span("words"))
    if "tail" in found.slots:
        content = found.tail()
    if found.fixed.get("path") == "@it":
        if not found.context.fresh or found.context.thing is None:
            found.trouble.note("no_antecedent")
            raise Reject
        path = found.context.thing
        found.after = replace(found.context, fresh=False)
        return [Draft("write_file", {"path": path, "content": content})]
    slot = next(each for each in ("filepaths", "filepath", "paths", "path") if each in found.slots)
    told = bool({"text", "tail", "words"} & found.slots.keys())
    if not told and _definite(found, slot) and not found.said & {"er", "daarin", "erin", "there", "it"}:
        raise Reject
    names = found.many(slot) if slot.endswith("s") else [found.one(slot)]
    written_to = "text" in found.slots and found.slots["text"][0] < found.slots[slot][0]
    if not written_to and not found.after_noun(slot):
        span = found.span(slot)
        if not any(each.code in {QUOTED, PATH} for each in span) and not found.said & found.vocabulary.nouns:
            raise Reject
    parent = found.parent()
    arguments: list[dict[str, JsonValue]] = [
        {"path": join(parent, name), "content": content} for name in names
    ]
    if "overwrite" in found.fixed:
        arguments = [{**each, "overwrite": True} for each in arguments]
    if len(names) == 1:
        path = join(parent, names[0])
        found.after = Context(folder=parent or found.context.folder, thing=path, fresh=not told)
    return [Draft("write_file", each) for each in arguments]


def _nested(found: Caught) -> list[Draft]:
    """The folder, then what is in it: "maak een map A met daarin een map B"."""
    outer = found.one("path")
    drafts = [Draft("create_directory", {"path": outer})]
    if "newnames" in found.slots:
        inner = [join(outer, name) for name in found.many("newnames")]
        return drafts + [Draft("create_directory", {"path": path}) for path in inner]
    content = found.raw("text") if "text" in found.slots else ""
    names = [found.one("child")] if "child" in found.slots else found.many("filepaths")
    return drafts + [Draft("write_file", {"path": join(outer, name), "content": content}) for name in names]


def _list_directory(found: Caught) -> list[Draft]:
    path = _folder_name(found)
    found.after = Context(folder=path, thing=path)
    return [Draft("list_directory", {"path": path})]


def _folder_name(found: Caught) -> str:
    if "bare" in found.slots:
        return found.name(found.span("bare"), noun=True)
    return found.one("path", kind="folder")


def _look_inside(found: Caught) -> list[Draft]:
    path = found.one("path")
    if "only" in found.fixed and (
        is_file_name(path) or not all(each.upper or each.code == QUOTED for each in found.span("path"))
    ):
        raise Reject  # "show me" may be meant of anything; a name with a capital is one
    if is_file_name(path) or (is_hidden(path) and not looks_like_folder(path)):
        found.after = Context(folder=folder_of(path), thing=path)
        return [Draft("read_file", {"path": path})]
    found.after = Context(folder=path, thing=path)
    return [Draft("list_directory", {"path": path})]


def _path_info(found: Caught) -> list[Draft]:
    slot = next(each for each in ("path", "filepath", "bare") if each in found.slots)
    name = found.name(found.span("bare"), noun=True) if slot == "bare" else found.one(slot)
    if slot == "path" and found.is_device("path") and not found.after_noun("path"):
        raise Reject
    path = join(found.parent(), name)
    found.after = Context(folder=path, thing=path)
    return [Draft("path_info", {"path": path})]


def _search_files(found: Caught) -> list[Draft]:
    slot = next(each for each in ("pattern", "globs", "filepattern") if each in found.slots)
    token = found.span(slot)[0]
    if token.stops or (token.word in found.vocabulary.nouns and token.code != QUOTED):
        raise Reject
    where = found.one("path", kind="folder") if found.has("path") else "."
    return [Draft("search_files", {"path": where, "pattern": found.raw(slot)})]


def _read_file(found: Caught) -> list[Draft]:
    slot = "filepath" if "filepath" in found.slots else "path"
    path = join(found.parent(), found.one(slot))
    if found.words[0].word == "print" and _ON_PAPER.search(path):
        found.trouble.note("unsupported")  # on paper, that is
        raise Reject
    if found.words[0].word == "open" and is_site(path):
        found.trouble.note("unsupported")
        raise Reject
    if found.words[0].word in {"zeg", "vertel", "tell"}:
        raise Reject
    opens = (
        found.words[0].word == "open" and found.span(slot)[0].code == QUOTED if slot in found.slots else False
    )
    if slot == "filepath" and opens and not is_file_name(path):
        raise Reject  # "open 'Firefox'" starts a program
    if slot == "filepath" and looks_like_folder(path):
        found.after = Context(folder=path, thing=path)
        return [Draft("list_directory", {"path": path})]
    found.after = Context(folder=folder_of(path), thing=path)
    return [Draft("read_file", {"path": path})]


FILE_CALLS: dict[str, Callable[[Caught], list[Draft]]] = {
    "create_directory": _create_directory,
    "write_file": _write_file,
    "nested": _nested,
    "list_directory": _list_directory,
    "look_inside": _look_inside,
    "path_info": _path_info,
    "search_files": _search_files,
    "read_file": _read_file,
}
