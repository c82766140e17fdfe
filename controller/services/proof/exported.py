"""The audit as JSON Lines: a row a line with its place in its chain, and the signed heads as the last.

A chain whose oldest rows were archived begins with the signed cut.

Such a file is checked without a database, by anybody who knows the id of the key.
"""

import json
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, TypeVar

from pydantic import ValidationError

from controller.errors import OrionError
from controller.services import chain
from controller.services.cuts import SignedCut
from controller.services.heads import Head, SignedHead
from controller.services.proof.walking import Row, Rows

Signed = TypeVar("Signed", bound=Head)

MAX_LINE = 4 * 1024 * 1024  # bytes
COLUMNS = (*chain.CONTENT, "hash")


class Unreadable(OrionError):
    """The file is no export, or no whole one."""


def lines(rows: Rows, heads: Iterable[SignedHead]) -> Iterator[str]:
    """The lines of a file: each chain up to its head, from its last cut on, then the heads."""
    heads, cuts = list(heads), rows.cuts()
    for head in heads:
        if (cut := cuts.get(head.instance)) is not None:
            yield json.dumps({"cut": cut.model_dump(mode="json")})
        for row in rows.of(head.instance):
            if row["position"] > head.position:
                break
            if cut is None or row["position"] > cut.position:
                yield _line(row)
    for head in heads:
        yield json.dumps({"head": head.model_dump(mode="json")})


def _line(row: Row) -> str:
    told: dict[str, Any] = {name: row.get(name) for name in COLUMNS}
    if not isinstance(told["at"], str) and told["at"] is not None:
        told["at"] = chain.moment(told["at"])
    return json.dumps(told)


class Exported:
    """The rows of a file, and its heads. It is read again for each question: it may be long.

    Raises:
        Unreadable: it cannot be read, holds something else, or its end is not there.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self.heads: list[SignedHead] = []
        self.rows = 0
        self._cuts: dict[str, SignedCut] = {}
        self._instances: list[str] = []
        for number, said in self._lines():
            if "head" in said:
                self.heads.append(_signed(SignedHead, path, number, said["head"]))
                continue
            if "cut" in said:
                cut = _signed(SignedCut, path, number, said["cut"])
                self._cuts[cut.instance] = cut
                continue
            if self.heads:
                raise Unreadable(f"{path}, line {number}: a row behind the signed head.")
            instance = said.get("instance")
            is_row = said.keys() == set(COLUMNS) and isinstance(said["position"], int)
            if not is_row or not isinstance(instance, str):
                raise Unreadable(f"{path}, line {number}: no row of an audit.")
            if instance not in self._instances:
                self._instances.append(instance)
            self.rows += 1
        if not self.heads:
            raise Unreadable(f"{path} ends without the signed head: its end is missing.")

    def instances(self) -> list[str]:
        return self._instances

    def cuts(self) -> Mapping[str, SignedCut]:
        return self._cuts

    def of(self, instance: str) -> Iterator[Row]:
        return (said for _, said in self._lines() if said.get("instance") == instance)

    def holds(self, instance: str, position: int) -> bool:
        return any(row["position"] == position for row in self.of(instance))

    def position_of(self, instance: str, hash_: str) -> int | None:
        return next((row["position"] for row in self.of(instance) if row.get("hash") == hash_), None)

    def _lines(self) -> Iterator[tuple[int, dict[str, Any]]]:
        try:
            with self._path.open("rb") as file:
                number = 0
                while line := file.readline(MAX_LINE):
                    number += 1
                    yield number, _read(self._path, number, line)
        except OSError as error:
            raise Unreadable(f"{self._path} cannot be read: {error.strerror}.") from error


def _read(path: Path, number: int, line: bytes) -> dict[str, Any]:
    try:
        said = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise Unreadable(f"{path}, line {number}: not JSON.") from error
    if not isinstance(said, dict):
        raise Unreadable(f"{path}, line {number}: not a JSON object.")
    return said


def _signed(kind: type[Signed], path: Path, number: int, said: object) -> Signed:
    try:
        return kind.model_validate(said, strict=False)
    except ValidationError as error:
        what = "head" if kind is SignedHead else "cut"
        raise Unreadable(f"{path}, line {number}: no signed {what}.") from error
