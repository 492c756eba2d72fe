"""Bank cards as JSON text: exact, and checked when read back."""

from __future__ import annotations

import json

from samdb.bank.parse import items, mapping, number, scalar, text, whole
from samdb.core.bank import BankCard
from samdb.errors import BankError

_KEYS = frozenset(BankCard.__slots__)
# left out where there is no head: such a card is what it was before there were heads
_OF_HEADS = frozenset({"head", "inputs"})
# likewise of banks from before there were prediction sets
_OF_SETS = frozenset({"conformal", "sure"})


def card_to_json(card: BankCard) -> str:
    """The card as JSON with sorted keys; floats keep every bit."""
    left_out = (frozenset() if card.head else _OF_HEADS) | (frozenset() if card.conformal else _OF_SETS)
    fields = {key: getattr(card, key) for key in _KEYS - left_out}
    return json.dumps(fields, sort_keys=True, allow_nan=False, default=dict)


def card_from_json(card: str) -> BankCard:
    """The card that `card_to_json` wrote. Raises BankError on anything else."""
    try:
        raw = mapping(json.loads(card))
        if not _KEYS - _OF_HEADS - _OF_SETS <= set(raw) <= _KEYS:
            raise ValueError(f"it should have the keys {sorted(_KEYS)}")
        return BankCard(
            name=text(raw["name"]),
            version=whole(raw["version"]),
            model=text(raw["model"]),
            fingerprint=text(raw["fingerprint"]),
            recipe=text(raw["recipe"]),
            dim=whole(raw["dim"]),
            classes=tuple(text(c) for c in items(raw["classes"])),
            n_prototypes=whole(raw["n_prototypes"]),
            k_neighbours=whole(raw["k_neighbours"]),
            vote_temperature=number(raw["vote_temperature"]),
            thresholds={k: number(v) for k, v in mapping(raw["thresholds"]).items()},
            settings={k: scalar(v) for k, v in mapping(raw["settings"]).items()},
            class_counts={k: whole(v) for k, v in mapping(raw["class_counts"]).items()},
            metrics={k: number(v) for k, v in mapping(raw["metrics"]).items()},
            created_at=text(raw["created_at"]),
            head=text(raw.get("head", "")),
            inputs=tuple(text(r) for r in items(raw.get("inputs", []))),
            conformal={k: number(v) for k, v in mapping(raw.get("conformal", {})).items()},
            sure={k: number(v) for k, v in mapping(raw.get("sure", {})).items()},
        )
    except ValueError as exc:
        raise BankError(
            f"a bank's card cannot be read ({exc}): it is damaged, or a newer samdb wrote it; "
            "update samdb, or build the bank again with `samdb bank build`"
        ) from exc
