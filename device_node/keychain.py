"""The keyring of the system, where there is one that can be used.

What calls itself a keyring may be a plain file, keep nothing, or wait for somebody to unlock it. So one
counts that the library itself recommends, answers in time, and gives back what it was given.
"""

import importlib
import queue
import sys
import threading
from collections.abc import Callable
from typing import Any, TypeVar

SERVICE = "orion"
INSTALL = "pip install 'orion-control-plane[keyring]'"
RECOMMENDED = 1  # the priority from which on the library recommends a backend; plain files are below
ANSWER_WITHIN = 10.0  # seconds for a keyring that needs nobody
UNLOCK_WITHIN = 60.0  # seconds for a person at a terminal to unlock it

T = TypeVar("T")


class KeyringUnusable(Exception):
    """There is no keyring, or it does not do what it is for. The reason holds no secret."""


def put(name: str, secret: str) -> None:
    """Keep a secret under a name, in the first keyring that gives it back.

    Raises:
        KeyringUnusable: none does.
    """
    _in_time(lambda: _put(name, secret))


def get(name: str) -> str | None:
    """The secret of a name; None when the keyrings work and none of them has it.

    Raises:
        KeyringUnusable: one that may have it cannot be asked.
    """
    return _in_time(lambda: _get(name))


def drop(name: str) -> None:
    """Take a secret out of the keyrings; nothing happens if it is not there.

    Raises:
        KeyringUnusable: one that may have it cannot be asked.
    """
    _in_time(lambda: _drop(name))


def _put(name: str, secret: str) -> None:
    reasons = []
    for backend in _backends():
        try:
            _call(backend, "set_password", name, secret)
            if _call(backend, "get_password", name) == secret:
                return
            reasons.append(f"{_module(backend)} does not give back what it was given")
        except KeyringUnusable as unusable:
            reasons.append(str(unusable))
    raise KeyringUnusable("; ".join(reasons))


def _get(name: str) -> str | None:
    reasons = []
    for backend in _backends():
        try:
            secret: str | None = _call(backend, "get_password", name)
        except KeyringUnusable as unusable:
            reasons.append(str(unusable))
        else:
            if secret is not None:
                return secret
    if reasons:
        raise KeyringUnusable("; ".join(reasons))
    return None


def _drop(name: str) -> None:
    for backend in _backends():
        if _call(backend, "get_password", name) is not None:
            _call(backend, "delete_password", name)


def _call(backend: Any, what: str, *arguments: str) -> Any:
    try:
        return getattr(backend, what)(SERVICE, *arguments)
    except Exception as error:  # noqa: BLE001 - a backend is anybody's code, and may raise anything
        # not its text: who knows what it says
        raise KeyringUnusable(f"{_module(backend)} raised {type(error).__name__}") from None


def _backends() -> list[Any]:
    """Those that may be used, the best first; only one if its owner chose one."""
    try:
        keyring = importlib.import_module("keyring")
        chainer = importlib.import_module("keyring.backends.chainer")
    except ImportError:
        raise KeyringUnusable(f"the package keyring is not installed ({INSTALL})") from None
    chosen = keyring.get_keyring()
    backends = chosen.backends if isinstance(chosen, chainer.ChainerBackend) else [chosen]
    usable = [backend for backend in backends if backend.priority >= RECOMMENDED]
    if not usable:
        raise KeyringUnusable("this system has none that is fit for secrets")
    return usable


def _module(backend: Any) -> str:
    return str(type(backend).__module__)


def _in_time(work: Callable[[], T]) -> T:
    """Wait no longer than a keyring may take: one that shows a window waits for ever."""
    outcomes: queue.SimpleQueue[tuple[T | None, KeyringUnusable | None]] = queue.SimpleQueue()

    def ask() -> None:
        try:
            outcomes.put((work(), None))
        except KeyringUnusable as unusable:
            outcomes.put((None, unusable))
        except Exception as error:  # noqa: BLE001 - to find the backends is to run them
            outcomes.put((None, KeyringUnusable(f"the package keyring raised {type(error).__name__}")))

    # a daemon: what hangs in it must not hold up the program's end
    threading.Thread(target=ask, name="keyring", daemon=True).start()
    within = UNLOCK_WITHIN if sys.stdin is not None and sys.stdin.isatty() else ANSWER_WITHIN
    try:
        done, unusable = outcomes.get(timeout=within)
    except queue.Empty:
        raise KeyringUnusable(f"no answer within {within:g} s; it may wait to be unlocked") from None
    if unusable is not None:
        raise unusable
    return done  # type: ignore[return-value]  # None here is the work's own answer
