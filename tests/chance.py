"""Chance that can be repeated: the same seed gives the same again."""

from random import Random


def repeatable(seed: int) -> Random:
    """A generator for data and plans. Nothing that it gives is a secret."""
    return Random(seed)  # noqa: S311 - what is wanted here is what forbids it for a secret
