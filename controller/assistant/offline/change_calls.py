"""Clauses that move, copy, rename or delete what is there already: never what is only described."""

from collections.abc import Callable

from controller.assistant.offline.caught import OWNERS, Caught
from controller.assistant.offline.draft import Context, Draft, Reject
from controller.assistant.offline.names import is_name_before_noun
from controller.assistant.offline.paths import base_name, folder_of, is_file_name, join
from controller.assistant.offline.tokens import COMMA, PATH, QUOTED
from controller.assistant.offline.wording import ADJECTIVES, AND, DETERMINERS, INDEFINITE, NAMING, PUTTING


def _sources(found: Caught) -> list[str]:
    names = found.many("sources") if "sources" in found.slots else [found.one("source")]
    return [join(found.parent(origin=True), name) for name in names]


def _transfer(tool: str) -> Callable[[Caught], list[Draft]]:
    def build(found: Caught) -> list[Draft]:
        slot = "sources" if "sources" in found.slots else "source"
        lead = {each.word for each in found.before(slot)}
        if tool == "move_path" and lead & PUTTING and lead & INDEFINITE:
            raise Reject
        if tool == "move_path":
            _named_clearly(found, slot)
        sources = _sources(found)
        if tool == "move_path" and lead & PUTTING and not found.after_noun("destination"):
            # "put 'hello' in x" may write; only a file that goes into a folder is surely moved
            if any(each.code == QUOTED for each in found.span(slot)) or is_file_name(
                found.one("destination")
            ):
                raise Reject
            if not all(is_file_name(each) for each in sources):
                raise Reject
        if (
            "destination" in found.slots
            and found.is_device("destination")
            and not found.after_noun("destination")
        ):
            found.trouble.note("between_devices")
            raise Reject
        destination = found.one("destination", kind="folder")
        into = "into" in found.fixed or len(sources) > 1 or destination.endswith(("/", "\\"))
        if not into and "destination" in found.slots:
            link = found.words[found.slots["destination"][0] - 1].word
            into = (
                link not in {"as", "als"} | NAMING
                and not is_file_name(destination)
                and all(is_file_name(each) for each in sources)
            )
        return [
            Draft(
                tool,
                {"source": each, "destination": join(destination, base_name(each)) if into else destination},
            )
            for each in sources
        ]

    return build


def _rename(found: Caught) -> list[Draft]:
    _named_clearly(found, "source")
    source = join(found.parent(), found.one("source"))
    name = found.one("newname")
    if found.words[found.slots["newname"][0] - 1].word in OWNERS:
        found.trouble.note("described", name)  # "to my report.docx": is "my" in its name?
        raise Reject
    if "/" not in name and "\\" not in name:
        name = join(folder_of(source), name)
    found.after = Context(folder=name, thing=name)
    return [Draft("move_path", {"source": source, "destination": name})]


def _named_clearly(found: Caught, slot: str) -> None:
    """No change to what is only described: "verwijder de foto's" tells no name, "verwijder de map foto's" does."""
    if slot not in found.slots or found.after_noun(slot):
        return
    before = found.words[found.slots[slot][0] - 1].word
    described = before in (DETERMINERS | ADJECTIVES) - {"a", "an", "een"}
    for each in found.span(slot):
        if each.code == COMMA or each.word in AND:
            described = False
        elif each.word in DETERMINERS and each.stops:
            described = True
        elif described:
            named = each.upper or each.code in {QUOTED, PATH} or each.word in found.vocabulary.nouns
            if not named and found.words[-1].word not in found.vocabulary.nouns:
                if found.known.exact((each.word,)):
                    found.trouble.note("device_or_path", found.cut([each]))
                found.trouble.note("described", found.cut([each]))
                raise Reject
            described = False


def _delete_path(found: Caught) -> list[Draft]:
    if "bare" in found.slots:
        return [Draft("delete_path", {"path": found.before_noun("bare")})]
    slot = "paths" if found.has("paths") else "path"
    if slot in found.slots and found.words[-1].word in found.vocabulary.nouns:
        last = found.span(slot)[-1]
        if found.slots[slot][1] < len(found.words) and not is_name_before_noun(last, found.words[-1].word):
            raise Reject  # "delete the oldest folder" names nothing
    _named_clearly(found, slot)
    names = found.many(slot) if slot == "paths" else [found.one("path")]
    parent = found.parent()
    return [Draft("delete_path", {"path": join(parent, name)}) for name in names]


CHANGE_CALLS: dict[str, Callable[[Caught], list[Draft]]] = {
    "copy_path": _transfer("copy_path"),
    "move_path": _transfer("move_path"),
    "rename": _rename,
    "delete_path": _delete_path,
}
