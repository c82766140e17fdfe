"""Paths on the wire: what a path may say, and where it stands, by its text alone.

Nothing here looks at a disk, so controller and device come to the same verdict on
whatever system they run. What is not plainly a path of the device is refused:
a doubtful text is never repaired into one. What a name leads to (symlinks) only
the device can know, and it checks that again when it uses the path.
"""

import re
import unicodedata
from collections.abc import Sequence
from enum import StrEnum

from schemas.devices import OperatingSystem

MAX_PATH = 4096  # bytes of UTF-8
MAX_NAME = 255  # bytes of UTF-8 on POSIX, UTF-16 units on Windows

_DRIVE = re.compile(r"[A-Za-z]:")
_RESERVED = re.compile(r"(CON|PRN|AUX|NUL|CONIN\$|CONOUT\$|CLOCK\$|(COM|LPT)[0-9¹²³])", re.IGNORECASE)
_FORBIDDEN_ON_WINDOWS = frozenset('<>"|?*')
# drawn like a slash, backslash or colon without being one, and not told by NFKC
_DRAWN_ALIKE = frozenset(
    "\u2044\u2215\u29f8\u2571\u27cb"  # like /
    "\u2216\u29f5\u29f9\u2572\u27cd"  # like the backslash
    "\u2236\u02d0\u02f8\u0589\u05c3"  # like :
)
_INVISIBLE = frozenset("\u034f\u115f\u1160\u17b4\u17b5\u2800\u3164\uffa0")  # blank letters and marks
_ELLIPSIS = "…"  # common in file names, and never a name of its own here


class Flavour(StrEnum):
    """Whose rules a path follows: those of its device, not of who reads it."""

    POSIX = "posix"
    WINDOWS = "windows"


def flavour_of(os: OperatingSystem | None) -> Flavour:
    """The rules that hold on a device of this system; POSIX when it does not say."""
    return Flavour.WINDOWS if os is not None and os.type == "windows" else Flavour.POSIX


class PathRefused(ValueError):
    """A text that is no path here. `reason` is a sentence for a person."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


def resolve(text: str, flavour: Flavour, *, home: str | None, base: str | None) -> str:
    """The absolute, canonical path that a text names.

    `~` and `~/…` stand for `home`; a relative path stands in `base`. Names keep their
    spelling, Unicode form included: two forms of one letter are two names.

    Raises:
        PathRefused: the text is no path of this flavour, or needs a `home` or
            `base` that is not known.
    """
    _check_text(text)
    separators = "/\\" if flavour is Flavour.WINDOWS else "/"
    if text[0] == "~":
        if len(text) > 1 and text[1] not in separators:
            raise PathRefused("A path cannot start with another user's home (~name).")
        if home is None:
            raise PathRefused("The device has not said where its home folder is.")
        root, names = _absolute(home, flavour)
        names += _names(text[1:], flavour)
    elif _is_rooted(text, flavour):
        root, names = _absolute(text, flavour)
    else:
        if base is None:
            raise PathRefused("A relative path needs an allowed folder to stand in, and there is none.")
        root, names = _absolute(base, flavour)
        names += _names(text, flavour)
    path = root + ("\\" if flavour is Flavour.WINDOWS else "/").join(names)
    if len(path.encode()) > MAX_PATH:
        raise PathRefused(f"The path is longer than {MAX_PATH} bytes.")
    return path


def is_within(path: str, allowed: str, flavour: Flavour) -> bool:
    """Whether `path` is `allowed` or stands below it, name by name.

    Both are absolute. Letter case counts on POSIX and not on Windows. A text that
    is no absolute path is within nothing.
    """
    try:
        root, names = _absolute(path, flavour)
        allowed_root, allowed_names = _absolute(allowed, flavour)
    except PathRefused:
        return False
    if flavour is Flavour.WINDOWS:
        names, allowed_names = [_fold(name) for name in names], [_fold(name) for name in allowed_names]
    return root == allowed_root and names[: len(allowed_names)] == allowed_names


def admit(text: str, flavour: Flavour, *, home: str | None, allowed: Sequence[str]) -> str:
    """The absolute path of a text, if it is within one of `allowed`; relative ones stand in the first.

    Raises:
        PathRefused: it is no path, or within none of them.
    """
    path = resolve(text, flavour, home=home, base=allowed[0] if allowed else None)
    if not any(is_within(path, folder, flavour) for folder in allowed):
        raise PathRefused("The path is outside the allowed folders.")
    return path


def names_of(path: str, allowed: str, flavour: Flavour) -> list[str]:
    """The names that lead from `allowed` to a path within it, each a single component.

    Raises:
        PathRefused: the path is not within `allowed`.
    """
    if not is_within(path, allowed, flavour):
        raise PathRefused("The path is outside the allowed folders.")
    return _absolute(path, flavour)[1][len(_absolute(allowed, flavour)[1]) :]


def _check_text(text: str) -> None:
    if not text.strip():
        raise PathRefused("The path is empty.")
    for character in text:
        category = unicodedata.category(character)
        if category in ("Cc", "Cs", "Zl", "Zp"):
            raise PathRefused("The path holds a control character.")
        if category == "Cf" or character in _INVISIBLE:
            raise PathRefused("The path holds an invisible character.")
        if not character.isascii() and character != _ELLIPSIS and _looks_like_syntax(character):
            raise PathRefused(f"The path holds {character!r}, which only looks like a sign of a path.")
    if len(text.encode()) > MAX_PATH:
        raise PathRefused(f"The path is longer than {MAX_PATH} bytes.")


def _looks_like_syntax(character: str) -> bool:
    return character in _DRAWN_ALIKE or any(
        sign in "/\\.:" for sign in unicodedata.normalize("NFKC", character)
    )


def _is_rooted(text: str, flavour: Flavour) -> bool:
    if flavour is Flavour.POSIX:
        if _DRIVE.match(text) or "\\" in text:
            raise PathRefused("This is a Windows path, and the device is not a Windows device.")
        return text[0] == "/"
    return text[0] in "/\\" or _DRIVE.match(text) is not None


def _absolute(text: str, flavour: Flavour) -> tuple[str, list[str]]:
    """The root and the names of an absolute path."""
    _check_text(text)
    if not _is_rooted(text, flavour):
        raise PathRefused("The folder that the path stands in is not an absolute path.")
    if flavour is Flavour.POSIX:
        if text.startswith("//"):
            raise PathRefused("A path starts with a single slash.")
        return "/", _names(text, flavour)
    start = text.replace("/", "\\")
    if start.startswith(("\\\\?\\", "\\\\.\\", "\\??\\")):
        raise PathRefused("Device paths are not allowed.")
    if start.startswith("\\\\"):
        raise PathRefused("Network paths are not allowed.")
    if start[0] == "\\":
        raise PathRefused("The path lacks its drive, such as C:.")
    if start[2:3] != "\\":
        raise PathRefused("After the drive comes a backslash, as in C:\\Users.")
    return start[:2].upper() + "\\", _names(start[3:], flavour)


def _names(text: str, flavour: Flavour) -> list[str]:
    if flavour is Flavour.WINDOWS:
        text = text.replace("/", "\\")
    names = text.split("\\" if flavour is Flavour.WINDOWS else "/")
    names = [name for name in names if name not in ("", ".")]
    for name in names:
        # behind a symlink `..` leads elsewhere than the text says, so it has no safe reading
        if name == ".." or (_ELLIPSIS in name and not name.strip(_ELLIPSIS + ".")):
            raise PathRefused("The path climbs with `..`; name the folder itself.")
        if flavour is Flavour.WINDOWS:
            _check_windows_name(name)
        elif "\\" in name:
            raise PathRefused("This is a Windows path, and the device is not a Windows device.")
        elif len(name.encode()) > MAX_NAME:
            raise PathRefused(f"A name in the path is longer than {MAX_NAME} bytes.")
    return names


def _check_windows_name(name: str) -> None:
    if ":" in name:
        raise PathRefused("A colon in a Windows path is for the drive only.")
    if forbidden := _FORBIDDEN_ON_WINDOWS.intersection(name):
        raise PathRefused(f"A Windows path cannot hold {min(forbidden)}.")
    if name[-1] in ". ":
        raise PathRefused("Windows drops dots and spaces at the end of a name; leave them out.")
    if _RESERVED.fullmatch(name.split(".", 1)[0].rstrip(" ")):
        raise PathRefused(f"{name} is the name of a device on Windows.")
    if len(name.encode("utf-16-le")) // 2 > MAX_NAME:
        raise PathRefused(f"A name in the path is longer than {MAX_NAME} characters.")


def _fold(name: str) -> str:
    """Upper case letter by letter, as NTFS compares; what does not fold there and back stays."""
    return "".join(
        upper if len(upper := letter.upper()) == 1 and upper.lower() == letter else letter for letter in name
    )
