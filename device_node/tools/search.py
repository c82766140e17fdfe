"""Finding files by name, within the folder asked for and never through a link."""

import fnmatch
import re
from collections.abc import Callable

from device_node.safety.errors import ToolError, shown
from device_node.safety.fence import Fence
from device_node.safety.folder import Folder
from device_node.tools.content import MAX_DEPTH
from device_node.tools.files import described
from device_node.tools.tool import Call, Result, size_of
from schemas.builtin import MAX_RESULT_BYTES
from schemas.errors import ErrorCode

MOST_SEEN = 200_000  # entries looked at in one search


class _Search:
    def __init__(self, call: Call, fence: Fence, fits: Callable[[str], bool], limit: int) -> None:
        self.call = call
        self.fence = fence
        self.fits = fits
        self.limit = limit
        self.seen = 0
        self.truncated = False
        self.found: list[dict[str, object]] = []

    def below(self, folder: Folder, depth: int, begun: float = 0.0, done: float = 1.0) -> None:
        """Search a folder, which is this part of the whole: from `begun` to `done`."""
        with folder.scan() as entries:
            found = sorted((entry.name, entry.is_dir(follow_symlinks=False)) for entry in entries)
        share = (done - begun) / max(1, len(found))
        for index, (name, is_folder) in enumerate(found):
            self.call.go_on()
            part = begun + share * index
            if index:
                self.call.progress(part)
            self.seen += 1
            if len(self.found) >= self.limit or self.seen > MOST_SEEN:
                self.truncated = True
                return
            try:
                self._look(folder, name, depth, is_folder=is_folder, part=(part, part + share))
            except FileNotFoundError:
                continue  # it went while we looked
            except PermissionError:
                self.truncated = True  # what cannot be opened was not searched

    def _look(
        self, folder: Folder, name: str, depth: int, *, is_folder: bool, part: tuple[float, float]
    ) -> None:
        if self.fence.is_own(folder, name):
            return
        if self.fits(name):
            row = described(name, folder.lstat(name))
            self.found.append({"path": shown(folder.child(name))} | row)
        if is_folder and depth >= MAX_DEPTH:
            self.truncated = True
        elif is_folder:
            with folder.open_folder(name) as inner:
                self.below(inner, depth + 1, *part)


def search_files(call: Call) -> Result:
    """Files and folders whose name holds the pattern, or matches it when it has * or ?."""
    pattern = call.text("pattern")
    if "/" in pattern:
        raise ToolError(ErrorCode.INVALID_ARGUMENTS, "The pattern is for names; give the folder as path.")
    fence = call.node.fence()
    with fence.locate(call.text("path")) as place, place.opened() as folder:
        search = _Search(call, fence, _matcher(pattern), call.whole("limit", 100))
        search.below(folder, 0)
    result = {
        "path": call.text("path"),
        "found": bool(search.found),
        "matches": search.found,
        "truncated": search.truncated,
    }
    while size_of(result) > MAX_RESULT_BYTES:
        search.found[:] = search.found[: len(search.found) * 3 // 4]
        result["truncated"] = True
    return result


def _matcher(pattern: str) -> Callable[[str], bool]:
    wanted = pattern.casefold()
    if not set(wanted) & set("*?["):
        return lambda name: wanted in name.casefold()
    form = re.compile(fnmatch.translate(wanted), re.DOTALL)
    return lambda name: form.match(name.casefold()) is not None
