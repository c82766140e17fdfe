"""Where a path leads, found out by walking it and held open while it is used.

The walk starts at an allowed folder and follows each link by itself: a link is judged
by where it leads, and every step of that is walked in the same way. What comes
out is an open folder and a name in it; no path text is used after that.
"""

import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from device_node.safety.descriptors import DescriptorFolder
from device_node.safety.errors import PathNotAllowed, ToolError, shown, translated
from device_node.safety.folder import Folder, Identity, identity, is_link
from device_node.safety.policy import HOST_FLAVOUR, LocalPolicy, Root
from device_node.safety.rechecked import PathFolder
from schemas.errors import ErrorCode
from schemas.paths import is_within, names_of

MAX_HOPS = 40  # links followed for one path, as Linux does

_NODE_ITSELF = "belongs to the node itself, which no tool may touch"


@dataclass(frozen=True, slots=True)
class Place:
    """A name in an open folder; no name is the allowed folder itself."""

    folder: Folder
    name: str

    @property
    def path(self) -> str:
        """What to call it; no use is made of it."""
        return shown(self.folder.child(self.name) if self.name else self.folder.path)

    def lstat(self) -> os.stat_result:
        return self.folder.lstat(self.name) if self.name else self.folder.info()

    def exists(self) -> bool:
        return not self.name or self.folder.exists(self.name)

    @contextmanager
    def opened(self) -> Iterator[Folder]:
        """The folder that this place is."""
        if not self.name:
            yield self.folder
            return
        with self.folder.open_folder(self.name) as folder:
            yield folder


@dataclass(frozen=True, slots=True)
class _Link:
    """A walk that met a link: where it goes on, name by name from the root of the system."""

    names: list[str]


class Fence:
    """The allowed folders of this device, without what in them belongs to the node itself."""

    def __init__(
        self, policy: LocalPolicy, own: Sequence[Path] = (), *, by_path: bool = sys.platform == "win32"
    ) -> None:
        self._roots = policy.roots
        self._by_path = by_path
        self._own_ids: set[Identity] = set()
        self._own_names: set[tuple[Identity, str]] = set()
        self._holders: set[Identity] = set()
        for path in (Path(os.path.realpath(path)) for path in own):
            for above in path.parents:
                if above.exists():
                    self._holders.add(identity(above.stat()))
            if path.parent.exists():
                self._own_names.add((identity(path.parent.stat()), path.name.casefold()))
            if path.exists():
                self._own_ids.add(identity(path.stat()))

    @contextmanager
    def locate(self, path: str, *, follow: bool = True, made: list[str] | None = None) -> Iterator[Place]:
        """Walk to a path, which need not exist, and hold what it stands in.

        Args:
            path: absolute.
            follow: whether a link at the end is followed; judged it is always.
            made: folders that are missing on the way are made, and added here.

        Raises:
            ToolError: `path_not_allowed` when the path or a link on it leads out of
                the allowed folders, `not_found` when a folder on it is missing.
        """
        with translated(path):
            place = self._walk(path, follow=True, made=made)
            if not follow:
                place.folder.close()
                place = self._walk(path, follow=False, made=None)
        try:
            with translated(path):
                yield place
        finally:
            place.folder.close()

    def refuse_holder(self, place: Place) -> None:
        """Refuse to move or remove a folder that holds what belongs to the node."""
        if identity(place.lstat()) in self._holders:
            raise PathNotAllowed(place.path, _NODE_ITSELF.replace("belongs to", "holds what belongs to"))

    def is_own(self, folder: Folder, name: str) -> bool:
        """Whether a name in an open folder belongs to the node itself."""
        if (folder.id, name.casefold()) in self._own_names:
            return True
        return bool(self._own_ids) and identity(folder.lstat(name)) in self._own_ids

    def _walk(self, path: str, *, follow: bool, made: list[str] | None) -> Place:
        root, names = self._enter(path)
        for _ in range(MAX_HOPS + 1):
            if self._by_path:
                path = os.path.join(root.real, *names)  # noqa: PTH118 - names, not a path
                return self._place_by_path(path, follow=follow, made=made)
            outcome = self._descend(root, names, follow=follow, made=made)
            if isinstance(outcome, Place):
                return outcome
            root, names = self._reenter(outcome.names, path)
        raise PathNotAllowed(path, "goes through too many links")

    def _enter(self, path: str) -> tuple[Root, list[str]]:
        found: list[tuple[Root, list[str]]] = []
        for root in self._roots:
            found.extend(
                (root, names_of(path, folder, HOST_FLAVOUR))
                for folder in (root.written, root.real)
                if is_within(path, folder, HOST_FLAVOUR)
            )
        if not found:
            raise PathNotAllowed(path)
        return min(found, key=lambda entry: len(entry[1]))

    def _reenter(self, names: list[str], path: str) -> tuple[Root, list[str]]:
        # by names, not by `is_within`: what a link says may hold names that the wire refuses
        found: list[tuple[Root, list[str]]] = []
        for root in self._roots:
            for folder in (root.written, root.real):
                above = [name for name in folder.split("/") if name]
                if names[: len(above)] == above:
                    found.append((root, names[len(above) :]))
        if not found:
            raise PathNotAllowed(path, "leads outside the allowed folders")
        return min(found, key=lambda entry: len(entry[1]))

    def _descend(
        self, root: Root, names: list[str], *, follow: bool, made: list[str] | None
    ) -> Place | _Link:
        folder: Folder = DescriptorFolder.at(root.real)
        try:
            self._refuse_own(folder)
            for index, name in enumerate(names):
                last = index == len(names) - 1
                info = self._look(folder, name)
                if info is not None and is_link(info) and (follow or not last):
                    link = _beyond(folder, name, names[index + 1 :])
                    folder.close()
                    return link
                if last:
                    return Place(folder, name)
                if info is None:
                    _make(folder, name, made)
                above, folder = folder, folder.open_folder(name)
                above.close()
        except BaseException:
            folder.close()
            raise
        return Place(folder, "")

    def _place_by_path(self, path: str, *, follow: bool, made: list[str] | None) -> Place:
        above, name = os.path.split(path)
        real = os.path.realpath(path) if follow else os.path.join(os.path.realpath(above), name)  # noqa: PTH118
        root = next((root for root in self._roots if is_within(real, root.real, HOST_FLAVOUR)), None)
        if root is None:
            raise PathNotAllowed(path, "leads outside the allowed folders")
        names = names_of(real, root.real, HOST_FLAVOUR)
        folder: Folder = PathFolder(root.real)
        for name in names[:-1]:
            if self._look(folder, name) is None:
                _make(folder, name, made)
            folder = folder.open_folder(name)
        if names:
            self._look(folder, names[-1])
        self._refuse_own(folder)
        return Place(folder, names[-1] if names else "")

    def _refuse_own(self, folder: Folder) -> None:
        if not self._own_ids.isdisjoint(folder.lineage):
            raise PathNotAllowed(folder.path, _NODE_ITSELF)

    def _look(self, folder: Folder, name: str) -> os.stat_result | None:
        if (folder.id, name.casefold()) in self._own_names:
            raise PathNotAllowed(folder.child(name), _NODE_ITSELF)
        try:
            info = folder.lstat(name)
        except FileNotFoundError:
            return None
        if identity(info) in self._own_ids:
            raise PathNotAllowed(folder.child(name), _NODE_ITSELF)
        return info


def _make(folder: Folder, name: str, made: list[str] | None) -> None:
    if made is None:
        raise ToolError(ErrorCode.NOT_FOUND, f"{shown(folder.child(name))} does not exist.")
    folder.mkdir(name)
    made.append(folder.child(name))


def _beyond(folder: Folder, name: str, rest: list[str]) -> _Link:
    """Where a link in an open folder leads, and what of the path comes after it."""
    target = folder.readlink(name)
    names = [] if target.startswith("/") else [part for part in folder.path.split("/") if part]
    climbing = True
    for part in target.split("/"):
        if part == "..":
            # climbing is plain only from the real folder that the link stands in
            if not climbing or not names:
                raise PathNotAllowed(folder.child(name), "leads through a climb that cannot be judged")
            names.pop()
        elif part not in ("", "."):
            climbing = False
            names.append(part)
    return _Link(names + rest)
