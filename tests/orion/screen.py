"""A terminal that this process itself writes to, and what a person would see on it."""

import os
import pty
import sys
import tty
from collections.abc import Iterator
from contextlib import contextmanager

import pytest


@contextmanager
def a_screen() -> Iterator[int]:
    """A terminal for a person, who sits at the other end."""
    leader, follower = pty.openpty()
    tty.setraw(follower)
    with (
        open(follower, "w", encoding="utf-8", closefd=False) as written,
        open(follower, encoding="utf-8", closefd=False) as read,
        pytest.MonkeyPatch.context() as patch,
    ):
        patch.setenv("TERM", "dumb")
        for name, stream in (("stdin", read), ("stdout", written), ("stderr", written)):
            patch.setattr(sys, name, stream)
        yield leader
    os.close(leader)
    os.close(follower)


def seen_on(leader: int, last: str) -> str:
    """What is on the screen once it ends in `last`."""
    seen = ""
    while not seen.endswith(last):
        seen += os.read(leader, 4096).decode()
    return seen
