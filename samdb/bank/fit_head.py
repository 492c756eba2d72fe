"""Train a head of several members, and learn the bank's prototypes over it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch

from samdb.bank.classifier import class_indices
from samdb.bank.head_file import compact
from samdb.bank.kmeans import fit_centres
from samdb.bank.losses import PrototypeSoftmax
from samdb.bank.sampling import ClassBalancedSampler
from samdb.bank.table import SegmentTable
from samdb.bank.train_settings import TrainSettings
from samdb.bank.training import CurvePoint, TrainedMember, TrainRows, seeded, train_member
from samdb.bank.whitening import Whitening, balanced_weights, main_axes, whitening_of
from samdb.core.head import Head, Layer, Rows
from samdb.core.vectors import normalise

# prototypes over a finished head find their place within some epochs
_PROTOTYPE_EPOCHS = 8
_PROTOTYPE_RATE = 0.01


@dataclass(frozen=True, slots=True)
class FittedHead:
    """A head, its learned `prototypes` (C, K, P) of norm 1 (the classes in their order, then background if
    there is any), a curve per member, and the epoch that each member is of."""

    head: Head
    prototypes: Rows
    curves: tuple[tuple[CurvePoint, ...], ...]
    epochs: tuple[int, ...]


def fit_head(
    table: SegmentTable,
    recipes: tuple[str, ...],
    dim: int,
    settings: TrainSettings,
    held: SegmentTable | None = None,
    stop_at: Sequence[int] | None = None,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> FittedHead:
    """Train `settings.members` members on the table's segments and join them to a head of `dim` numbers.

    `held` are segments of other images: with them each member is of its best epoch. `stop_at` says of each
    member after which epoch it ends, though its learning rate falls as if it went on. `progress` is told of
    the epochs done and how many there will be at most.
    """
    whitening = whitening_of(table, settings.input_dim, settings.shrinkage)
    rows = _rows(table, table.classes, whitening)
    judges = None if held is None else _rows(held, table.classes, whitening)
    total = settings.members * settings.epochs
    members: list[TrainedMember] = []
    for number in range(settings.members):
        before = number * settings.epochs
        members.append(
            train_member(
                rows,
                judges,
                settings,
                seed=settings.seed * 1000 + number,
                stop_at=None if stop_at is None else stop_at[number],
                on_epoch=lambda done, _, before=before: progress(before + done, total),  # type: ignore[misc]
            )
        )
    progress(total, total)
    head, mix = _joined(table, members, recipes, dim, whitening)
    if len(members) == 1:
        prototypes = normalise(members[0].prototypes @ mix.T)
    else:
        prototypes = _learn_prototypes(members, mix, rows, settings)
    if not table.has_background:
        prototypes = prototypes[: len(table.classes)]
    return FittedHead(head, prototypes, tuple(m.curve for m in members), tuple(m.epoch for m in members))


def _rows(table: SegmentTable, classes: Sequence[str], whitening: Whitening) -> TrainRows:
    objects = {key: i for i, key in enumerate(sorted(set(table.object_keys) - {""}))}
    return TrainRows(
        x=whitening.apply(table.vectors),
        classes=class_indices(table.class_names, classes),
        objects=np.array([objects.get(key, -1) for key in table.object_keys], dtype=np.int64),
        background=len(classes),
    )


def _joined(
    table: SegmentTable,
    members: Sequence[TrainedMember],
    recipes: tuple[str, ...],
    dim: int,
    white: Whitening,
) -> tuple[Head, Rows]:
    """The members as one head, whose stem is the whitening: three members of their own of 1,856 numbers would
    be three times as large."""
    width = sum(len(m.layers[-1].bias) for m in members)
    # the whitening's lengths go into the scale, so that float16 holds the weights
    size = float(np.abs(white.matrix).max()) or 1.0
    stem = Layer((white.matrix / size).astype(np.float32), np.zeros(len(white.matrix), dtype=np.float32))
    head = Head(
        recipes=recipes,
        mean=white.mean.astype(np.float32),
        scale=np.full(len(white.mean), 1 / size, dtype=np.float32),
        members=tuple(m.layers for m in members),
        mix=np.eye(width, dtype=np.float32),
        stem=stem,
    )
    mix = np.zeros((dim, width), dtype=np.float32)
    if width <= dim:
        mix[:width] = np.eye(width)
    else:
        # the directions that hold the training segments: their cosines stay what they are
        names = np.array([name or "" for name in table.class_names])
        axes = main_axes(head.project(table.vectors), balanced_weights(names), dim)
        mix[: len(axes)] = axes
    return compact(replace(head, mix=mix)), mix


def _learn_prototypes(
    members: Sequence[TrainedMember], mix: Rows, rows: TrainRows, settings: TrainSettings
) -> Rows:
    """Prototypes (C, K, P) of the finished head. Each member has prototypes of its own, which cannot be
    joined; these start from KMeans centres and are trained by a softmax with margin, on embeddings of noisy
    segments: the members know the exact ones by heart."""
    dim = rows.x.shape[1]
    blank = np.zeros(dim, dtype=np.float32)
    head = Head(("prepared",), blank, blank + 1, tuple(m.layers for m in members), mix)
    n_classes = rows.background + 1
    k = 1 if settings.loss == "proxyanchor" else settings.prototypes_per_class
    with seeded(settings.seed):
        rng = np.random.default_rng(settings.seed)
        loss = PrototypeSoftmax(
            replace(settings, loss="prototypes", prototypes_per_class=k), n_classes, head.dim
        )
        loss.start_from(_centres(head.project(rows.x), rows, k, settings.seed))
        sampler = ClassBalancedSampler(rows.classes, settings.balance, rows.background, rng)
        optimiser = torch.optim.Adam(loss.parameters(), lr=_PROTOTYPE_RATE)
        classes = torch.from_numpy(rows.classes)
        steps = max(1, len(classes) // settings.batch_size)
        for _ in range(_PROTOTYPE_EPOCHS):
            noise = settings.noise * rng.standard_normal(rows.x.shape, dtype=np.float32)
            z = torch.from_numpy(head.project(rows.x + noise))
            for batch in sampler.epoch(steps * settings.batch_size).reshape(steps, -1):
                index = torch.from_numpy(batch)
                value = loss(z[index], classes[index])
                optimiser.zero_grad(set_to_none=True)
                value.backward()  # type: ignore[no-untyped-call]
                optimiser.step()
        return np.array(loss.prototypes().detach().numpy(), dtype=np.float32)


def _centres(projected: Rows, rows: TrainRows, k: int, seed: int) -> Rows:
    """KMeans centres (C, K, P); a class of fewer segments than K has some of them twice."""
    start = np.ones((rows.background + 1, k, projected.shape[1]), dtype=np.float32)
    for index in range(rows.background + 1):
        own = projected[rows.classes == index]
        if len(own):
            centres = fit_centres(own, k, seed=seed).vectors
            start[index] = centres[np.arange(k) % len(centres)]
    return normalise(start)
