"""Paths as a person writes them: joined and taken apart, never resolved.

Whether a path may be used, and where it leads, is decided elsewhere.
"""

import re

from controller.assistant.language import word_set
from controller.assistant.offline.draft import Reject

_SITE = re.compile(r"^[^/\\]+\.(?:com|nl|org|net|be|eu|de|fr|uk|io|gov|edu)$", re.IGNORECASE)
_EXTENSION = re.compile(r"[^/\\]\.[A-Za-z0-9]{1,10}$")

_FILES = word_set(
    "fstab hosts hostname passwd shadow syslog crontab sudoers os-release motd dmesg messages makefile dockerfile jenkinsfile"
    " readme license licence changelog vagrantfile gemfile procfile id_rsa id_ed25519 authorized_keys known_hosts"
)
_FOLDERS = frozenset(
    {
        *(
            "log",
            "logs",
            "home",
            "etc",
            "tmp",
            "var",
            "usr",
            "opt",
            "srv",
            "mnt",
            "media",
            "bin",
            "lib",
            "src",
            "docs",
        ),
        *(
            "data",
            "documents",
            "documenten",
            "downloads",
            "music",
            "pictures",
            "videos",
            "desktop",
            "backup",
            "backups",
        ),
        *(".ssh", ".config", ".local", ".cache", ".git", "~", ".", ".."),
    }
)


def join(folder: str | None, name: str) -> str:
    """A name inside a folder, with the separator that the folder already uses.

    Raises:
        Reject: the name is absolute, so it cannot be inside anything.
    """
    if folder is None:
        return name
    if name[:1] in {"/", "\\", "~"} or name[1:2] == ":":
        raise Reject
    separator = "\\" if "\\" in folder and "/" not in folder else "/"
    return folder.rstrip("/\\") + separator + name if folder.strip("/\\") else folder + name


def base_name(path: str) -> str:
    """The last part of a path."""
    return re.split(r"[/\\]", path.rstrip("/\\"))[-1]


def folder_of(path: str) -> str | None:
    """The folder that a path names its last part in, None when it names none."""
    cut = max(path.rstrip("/\\").rfind("/"), path.rstrip("/\\").rfind("\\"))
    return None if cut < 0 else path[: cut or 1]


def is_file_name(path: str) -> bool:
    """Whether a path ends as files do: in an extension, or in a name that only files have."""
    if path.endswith(("/", "\\")):
        return False
    return bool(_EXTENSION.search(path)) or base_name(path).casefold() in _FILES


def is_site(path: str) -> bool:
    """Whether this is rather the address of a web site than a file."""
    return bool(_SITE.search(path))


def is_hidden(path: str) -> bool:
    """Whether the last part begins with a point, as `.bashrc` does."""
    return base_name(path).startswith(".")


def looks_like_folder(path: str) -> bool:
    """A guess for looking only: `~/Documents` and `/var/log` are folders, `/etc/passwd` is none."""
    name = base_name(path)
    return not is_file_name(path) and (
        path.endswith(("/", "\\")) or name[:1].isupper() or name.casefold() in _FOLDERS
    )
