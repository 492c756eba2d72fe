"""Losses whose parameters are prototypes: what each learns beside the head becomes the bank."""

from __future__ import annotations

import warnings
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, normalize

from samdb.bank.train_settings import TrainSettings


class PrototypeLoss(Protocol):
    """A loss over embeddings (B, D) of norm 1 and class indices (B,)."""

    def __call__(self, embeddings: Tensor, classes: Tensor) -> Tensor:
        """The mean loss of a batch, a number."""

    def prototypes(self) -> Tensor:
        """What was learned: unit rows (C, K, D), K prototypes for each class."""

    def parameters(self) -> list[nn.Parameter]:
        """What an optimiser has to learn."""


def make_loss(settings: TrainSettings, n_classes: int, dim: int) -> PrototypeLoss:
    """The settings' loss for `n_classes` classes (background being one) and embeddings of `dim` numbers."""
    if settings.loss == "prototypes":
        return PrototypeSoftmax(settings, n_classes, dim)
    return _LibraryLoss(settings, n_classes, dim)


class PrototypeSoftmax:
    """Cosine softmax over several prototypes per class, with a margin.

    A class's logit is the log-sum-exp of `scale` times the cosines to its prototypes, the right class's
    cosines less `margin`. It is the vote of all prototypes with temperature 1 / `scale` (see
    `samdb.bank.vote`), so that what is trained is what classifies.

    Source: CosFace (Wang et al. 2018), with the several centres of SoftTriple (Qian et al. 2019).
    """

    def __init__(self, settings: TrainSettings, n_classes: int, dim: int) -> None:
        shape = (n_classes, settings.prototypes_per_class, dim)
        self._rows = nn.Parameter(normalize(torch.randn(shape), dim=2))
        self._margin, self._scale = settings.margin, settings.scale
        self._smoothing = settings.label_smoothing

    def __call__(self, embeddings: Tensor, classes: Tensor) -> Tensor:
        """The mean loss of a batch."""
        cosines = torch.einsum("bd,ckd->bck", embeddings, self.prototypes())
        margin = torch.zeros_like(cosines[:, :, 0])
        margin[torch.arange(len(classes)), classes] = self._margin
        logits = torch.logsumexp(self._scale * (cosines - margin[:, :, None]), dim=2)
        return cross_entropy(logits, classes, label_smoothing=self._smoothing)

    def start_from(self, rows: NDArray[np.float32]) -> None:
        """Begin with these prototypes (C, K, D)."""
        with torch.no_grad():
            self._rows.copy_(torch.from_numpy(rows))

    def prototypes(self) -> Tensor:
        """Unit rows (C, K, D)."""
        return normalize(self._rows, dim=2)

    def parameters(self) -> list[nn.Parameter]:
        """The prototypes."""
        return [self._rows]


class _LibraryLoss:
    """One of pytorch-metric-learning's."""

    def __init__(self, settings: TrainSettings, n_classes: int, dim: int) -> None:
        with warnings.catch_warnings():
            # a library that is imported here, where it is needed, must not end a run by a deprecation
            warnings.simplefilter("ignore")
            from pytorch_metric_learning import losses

        k, margin, scale = settings.prototypes_per_class, settings.margin, settings.scale
        self._shape = (n_classes, k, dim)
        self._loss: nn.Module
        if settings.loss == "softtriple":
            self._loss = losses.SoftTripleLoss(n_classes, dim, centers_per_class=k, la=scale, margin=margin)
        elif settings.loss == "subcenter":
            self._loss = losses.SubCenterArcFaceLoss(
                num_classes=n_classes, embedding_size=dim, margin=margin, scale=scale, sub_centers=k
            )
        else:  # proxyanchor: one proxy per class
            self._shape = (n_classes, 1, dim)
            self._loss = losses.ProxyAnchorLoss(n_classes, dim, margin=margin, alpha=scale)

    def __call__(self, embeddings: Tensor, classes: Tensor) -> Tensor:
        loss: Tensor = self._loss(embeddings, classes)
        return loss

    def prototypes(self) -> Tensor:
        (rows,) = self._loss.parameters()
        # SoftTriple and SubCenterArcFace keep their centres as columns (D, C * K)
        by_row = rows if rows.shape[0] == self._shape[0] and self._shape[1] == 1 else rows.t()
        return normalize(by_row.reshape(self._shape), dim=2)

    def parameters(self) -> list[nn.Parameter]:
        return list(self._loss.parameters())
