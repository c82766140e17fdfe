"""Copying, moving and deleting, within the allowed folders on both sides.

What is replaced or deleted goes to the trash; a copy appears under its name only
when it is complete.
"""

from collections.abc import Iterator
from contextlib import contextmanager

from device_node.safety.errors import PathNotAllowed, ToolError, translated
from device_node.safety.fence import Fence, Place
from device_node.safety.folder import identity
from device_node.tools import content, extent, records, transfer, trash
from device_node.tools.tool import Call, Result
from schemas.errors import ErrorCode
from schemas.wire import format_instant


def copy_path(call: Call) -> Result:
    """Copy a file or tree; a link that is named itself is followed, those inside are kept as links."""
    fence = call.node.fence()
    with _both(call, fence, follow=True) as (source, destination):
        if call.dry_run:
            size = extent.of(call, source.folder, source.name, fence=fence)
            return _would(call, "Copy", source, destination, size)
        unfinished = content.temporary()
        try:
            transfer.copy(call, fence, source.folder, source.name, destination.folder, unfinished)
            kept = _make_room(call, fence, destination)
            with _put_back(call, fence, destination, kept):
                destination.folder.place(unfinished, destination.folder, destination.name)
        except BaseException:
            content.discard(destination.folder, unfinished)
            raise
        destination.folder.sync()
        made = {
            "kind": "discard",
            "path": destination.path,
            "is": records.fingerprint(destination.lstat()),
        }
        undo = records.save(call, [*kept, made])
        return _outcome(call, undo=undo)


def move_path(call: Call) -> Result:
    """Move or rename; a link is moved as a link."""
    fence = call.node.fence()
    with _both(call, fence, follow=False) as (source, destination):
        fence.refuse_holder(source)
        if call.dry_run:
            far = source.lstat().st_dev != destination.folder.info().st_dev
            size = extent.of(call, source.folder, source.name, fence=fence if far else None)
            return _would(call, "Move", source, destination, size)
        moved_from = source.path
        kept = _make_room(call, fence, destination)
        with _put_back(call, fence, destination, kept):
            transfer.move(call, fence, source.folder, source.name, destination.folder, destination.name)
        destination.folder.sync()
        back = {
            "kind": "move_back",
            "path": destination.path,
            "to": moved_from,
            "is": records.fingerprint(destination.lstat()),
        }
        undo = records.save(call, [*kept, back])
        return _outcome(call, undo=undo)


def delete_path(call: Call) -> Result:
    """Move to the trash; a link is deleted as a link, what it leads to stays."""
    fence = call.node.fence()
    with fence.locate(call.text("path"), follow=False) as place:
        _refuse_unfit(place)
        fence.refuse_holder(place)
        if call.dry_run:
            return _would_delete(call, place)
        was = records.fingerprint(place.lstat())
        entry = trash.put(call, fence, place)
        undo = records.save(call, [{"kind": "restore", "entry": entry, "path": place.path, "was": was}])
        until = format_instant(call.node.now() + trash.KEPT)
        return {"path": call.text("path"), "trash": entry, "kept_until": until, "undo": undo}


@contextmanager
def _both(call: Call, fence: Fence, *, follow: bool) -> Iterator[tuple[Place, Place]]:
    with (
        fence.locate(call.text("source"), follow=follow) as source,
        fence.locate(call.text("destination"), follow=False) as destination,
    ):
        with translated(call.text("source")):
            _refuse_unfit(source)
            source_id = identity(source.lstat())
        if not destination.name:
            raise ToolError(ErrorCode.ALREADY_EXISTS, f"{destination.path} is an allowed folder itself.")
        if source_id in destination.folder.lineage:
            raise ToolError(ErrorCode.CONFLICT, "A folder cannot go inside itself.")
        if destination.exists():
            there = identity(destination.lstat())
            if there == source_id:
                raise ToolError(ErrorCode.CONFLICT, "Source and destination are the same.")
            if there in source.folder.lineage:
                raise ToolError(ErrorCode.CONFLICT, "A folder cannot take the place of one that holds it.")
            if not call.flag("overwrite"):
                raise ToolError(
                    ErrorCode.ALREADY_EXISTS, f"{destination.path} exists already; overwrite was not asked."
                )
            fence.refuse_holder(destination)
        yield source, destination


def _refuse_unfit(place: Place) -> None:
    if not place.name:
        raise PathNotAllowed(place.path, "is an allowed folder itself, which stays where it is")
    info = place.lstat()
    if content.kind_of(info) in ("file", "other"):
        content.refuse_special(place.folder, place.name, info)


def _outcome(call: Call, *, undo: bool) -> Result:
    return {"source": call.text("source"), "destination": call.text("destination"), "undo": undo}


def _would(call: Call, verb: str, source: Place, destination: Place, size: extent.Extent) -> Result:
    result: Result = {
        "would": f"{verb} {source.path} ({size}) to {destination.path}.",
        "source": source.path,
        "destination": destination.path,
        "size": size.facts(),
        "undo": True,
    }
    if destination.exists():
        there = extent.occupant(call, destination)
        tail = f"; what is there goes to the trash: {extent.in_words(there)}."
        result |= {"would": result["would"][:-1] + tail, "replaces": there}
    return result


def _would_delete(call: Call, place: Place) -> Result:
    size = extent.of(call, place.folder, place.name)
    return {
        "would": f"Move {place.path} ({size}) to the trash.",
        "path": place.path,
        "size": size.facts(),
        "kept_until": format_instant(call.node.now() + trash.KEPT),
        "undo": True,
    }


def _make_room(call: Call, fence: Fence, destination: Place) -> list[records.Step]:
    """Put what stands at the destination into the trash; how it comes back."""
    if not (destination.exists() and call.flag("overwrite")):
        return []
    entry = trash.put(call, fence, destination)
    return [{"kind": "restore", "entry": entry, "path": destination.path}]


@contextmanager
def _put_back(call: Call, fence: Fence, destination: Place, kept: list[records.Step]) -> Iterator[None]:
    """When the new cannot come, the old comes back."""
    try:
        yield
    except BaseException:
        for step in kept:
            trash.restore(call, fence, step["entry"], destination)
        raise
