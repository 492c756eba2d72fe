"""What a head is trained with."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Literal, TypeAlias, get_args

from samdb.core.bank import Setting

LossName: TypeAlias = Literal["prototypes", "softtriple", "subcenter", "proxyanchor"]
LOSSES: tuple[LossName, ...] = get_args(LossName)


@dataclass(frozen=True, slots=True)
class TrainSettings:
    """The knobs of a trained head and its learned bank.

    `members` MLPs (whitened input of `input_dim` numbers -> `hidden` -> `member_dim`) are trained from
    different seeds and work as one. Each sees every class with a frequency of its size to the power 1 -
    `balance`; its input gets Gaussian noise of standard deviation `noise` and `dropout`, as does its hidden
    layer; `mixup` is the parameter of a beta distribution by which two segments are blended (0: none).
    `margin` and `scale` are those of the loss, in its own units (cosine; degrees for `subcenter`).
    `part_weight` is how much the cosine between a whole and its part counts beside the loss. Training lasts
    at most `epochs`, in each of which as many segments are drawn as there are, and ends when the macro-F1 of
    held-out images has not improved for `patience` of them. `average` is the decay per step of the weights'
    running mean, which is what remains.

    `input_dim` and `noise` of `blend` + `quarters` + `semantic`, cross-validated inside 500 BDD100K frames
    (3 folds, 1 member): accuracy / macro-F1 / P@10 192, .5: .923 .672 .626; 192, .8: .923 .685 .635; 256, .5:
    .927 .688 .646; 256, .8: .927 .704 .651; 320, .8: .924 .701 .645.
    """

    loss: LossName = "prototypes"
    prototypes_per_class: int = 8
    margin: float = 0.1
    scale: float = 20.0
    members: int = 3
    input_dim: int = 256
    hidden: int = 512
    member_dim: int = 64
    dropout: float = 0.3
    noise: float = 0.8
    mixup: float = 0.0
    label_smoothing: float = 0.0
    balance: float = 0.5
    part_weight: float = 0.1
    learning_rate: float = 1e-3
    weight_decay: float = 0.01
    batch_size: int = 256
    epochs: int = 40
    patience: int = 10
    average: float = 0.99
    shrinkage: float = 0.3
    seed: int = 0

    def __post_init__(self) -> None:
        whole = (self.prototypes_per_class, self.members, self.input_dim, self.hidden, self.member_dim)
        if min(*whole, self.batch_size, self.epochs, self.patience) < 1:
            raise ValueError(f"the sizes of a head and its training must be at least 1, got {self!r}")
        if self.loss not in LOSSES:
            raise ValueError(f"unknown loss {self.loss!r}: choose one of {', '.join(LOSSES)}")
        shares = (self.dropout, self.balance, self.average, self.shrinkage, self.label_smoothing)
        if not all(0 <= share <= 1 for share in shares):
            raise ValueError(f"dropout, balance, average and the like are shares in [0, 1], got {self!r}")
        if min(self.noise, self.mixup, self.part_weight, self.weight_decay, self.margin) < 0:
            raise ValueError(f"noise, margin, weights and the like must not be negative, got {self!r}")
        if self.learning_rate <= 0 or self.scale <= 0:
            raise ValueError("learning_rate and scale must be positive")

    def as_settings(self) -> Mapping[str, Setting]:
        """The knobs as a bank's card keeps them."""
        return {name: getattr(self, name) for name in self.__slots__}


# With `input_dim` 256 and `noise` .8 these were tried and changed nothing beyond chance (inside 500 BDD100K
# frames, `blend` + `quarters` + `semantic` in fp32, two of three folds by image, 3 members; accuracy /
# macro-F1 / P@10; as they are .924 .700 .661): only boxes of at least 1024 px2 .922 .718 .650, of 400 .926
# .703 .663; no parts and `balance` .25 .925 .709 .665; 5 members .922 .705 .662; `member_dim` 85 .926 .709
# .665; `hidden` 1024 .922 .705 .666; 4 prototypes .924 .714 .667; `mixup` .4 .920 .704 .650;
# `label_smoothing` .1 .919 .697 .649; the box's place and shape as one more input .924 .702 .668; the vote
# chosen by accuracy .924 .700, by both .924 .700. In three folds heads of 256 numbers and of 128 are alike
# (.924 .703 .661), 3 members of 42 or 2 of 64 too

#: margin and scale of each loss; `scripts/losses` compares them, tuned equally. Nine settings each, on one
#: fold inside 500 BDD100K frames (`blend`, 1 member, 12 epochs, 1 seed): accuracy, macro-F1 and P@10 of the
#: setting with the best macro-F1, and the worst setting's macro-F1: prototypes (.1, 10) .869 .688 .580, .628;
#: softtriple (.2, 10) .870 .663 .559, .626; subcenter (5.7, 64) .870 .658 .522, .621; proxyanchor (0, 32)
#: .859 .657 .455, .316. With three recipes and folds a scale of 10 instead of 20 changes nothing
_TUNED: Mapping[LossName, tuple[float, float]] = {
    "prototypes": (0.1, 20.0),
    "softtriple": (0.1, 20.0),
    "subcenter": (28.6, 64.0),
    "proxyanchor": (0.1, 32.0),
}


def settings_for(
    loss: LossName, *, members: int | None = None, epochs: int | None = None, seed: int = 0
) -> TrainSettings:
    """The settings that a loss did best with; what is not given stays as it was measured."""
    margin, scale = _TUNED[loss]
    usual = TrainSettings(loss=loss, margin=margin, scale=scale, seed=seed)
    return replace(usual, members=members or usual.members, epochs=epochs or usual.epochs)
