"""A whole database into another one, of either kind: `copy`, then `check`, then `finish`."""

from controller.store.moving.checking import Different, check, finish
from controller.store.moving.copying import Copied, SourceChanged, copy
from controller.store.moving.ends import (
    Damaged,
    NotEmpty,
    OtherSchema,
    SourceUnusable,
    TargetUnusable,
    Tell,
    check_source,
    count,
    is_new,
    reading,
)

__all__ = [
    "Copied",
    "Damaged",
    "Different",
    "NotEmpty",
    "OtherSchema",
    "SourceChanged",
    "SourceUnusable",
    "TargetUnusable",
    "Tell",
    "check",
    "check_source",
    "copy",
    "count",
    "finish",
    "is_new",
    "reading",
]
