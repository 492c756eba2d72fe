"""What a KMeans bank is built with."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from samdb.core.bank import Setting


@dataclass(frozen=True, slots=True)
class BankSettings:
    """The knobs of a KMeans bank.

    `k` centres per class and granularity, fewer when the class is small: at most one centre per
    `segments_per_centre` segments (measured on 200 BDD100K frames, 5 folds by image, 3 seeds, macro-F1 of the
    `backbone` / `neck` recipe, 5 neighbours: .471 / .444 with 1, .485 / .447 with 3, .494 / .458 with 5,
    .487 / .438 with 8). `background_k` is the same for background (179: the prior work's). Above
    `mini_batch_above` segments MiniBatchKMeans takes over. `k_neighbours` and `vote_temperature` are found
    by calibration when None. At most `max_rejected` (a share) of the right answers for a class may fall below
    its threshold. A segment's set of possible classes misses its class with a probability of at most `alpha`
    (see `samdb.bank.conformal`); from the score `sure` on, `sure_precision` of a class's answers are right.
    """

    k: int = 51
    segments_per_centre: int = 5
    background_k: int = 179
    mini_batch_above: int = 20_000
    k_neighbours: int | None = None
    vote_temperature: float | None = None
    max_rejected: float = 0.05
    alpha: float = 0.1
    sure_precision: float = 0.9
    seed: int = 0

    def __post_init__(self) -> None:
        whole = (self.k, self.segments_per_centre, self.background_k, self.mini_batch_above)
        if min(whole) < 1 or (self.k_neighbours is not None and self.k_neighbours < 1):
            raise ValueError(f"k, background_k and the like must be at least 1, got {self!r}")
        if self.vote_temperature is not None and self.vote_temperature <= 0:
            raise ValueError(f"vote_temperature must be positive, got {self.vote_temperature}")
        if not 0 <= self.max_rejected < 1:
            raise ValueError(f"max_rejected is a share in [0, 1), got {self.max_rejected}")
        if not (0 < self.alpha < 1 and 0 < self.sure_precision < 1):
            raise ValueError(f"alpha and sure_precision are shares between 0 and 1, got {self!r}")

    def as_settings(self) -> Mapping[str, Setting]:
        """The knobs as a bank's card keeps them."""
        return {name: getattr(self, name) for name in self.__slots__}
