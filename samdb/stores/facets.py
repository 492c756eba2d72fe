"""Facet counts in the shape of the port: value as text -> count, most frequent first."""

from __future__ import annotations

from collections.abc import Mapping

from samdb.core.points import Scalar


def facet_text(value: Scalar) -> str:
    """A payload value as the text that `facet` answers with; booleans as in JSON."""
    return str(value).lower() if isinstance(value, bool) else str(value)


def ordered(counts: Mapping[str, int]) -> dict[str, int]:
    """The counts, most frequent first, equal ones by value.

    Zeros are left out: Qdrant goes on to list the values of deleted points until it next optimizes.
    """
    held = ((value, n) for value, n in counts.items() if n > 0)
    return dict(sorted(held, key=lambda item: (-item[1], item[0])))
