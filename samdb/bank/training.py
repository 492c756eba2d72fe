"""Train one member of a head: an MLP and the prototypes that its loss learns with it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn.functional import normalize

from samdb.bank.losses import PrototypeLoss, make_loss
from samdb.bank.sampling import ClassBalancedSampler, Partners
from samdb.bank.train_settings import TrainSettings
from samdb.core.head import Layer, Rows


@dataclass(frozen=True, slots=True)
class TrainRows:
    """What to learn from: `x` (N, D) prepared input, `classes` (N,) indices below `n_classes`, of which
    `background` (one past the last class) is what is no object, `objects` (N,) which object each is of (-1:
    unknown)."""

    x: Rows
    classes: NDArray[np.int64]
    objects: NDArray[np.int64]
    background: int


@dataclass(frozen=True, slots=True)
class CurvePoint:
    """How training went in one epoch; the held-out figures are None when nothing is held out."""

    epoch: int
    loss: float
    macro_f1: float | None
    accuracy: float | None


@dataclass(frozen=True, slots=True)
class TrainedMember:
    """A member: its layers over the prepared input, its prototypes (C, K, D), its curve, and the epoch that
    it is of (from 1)."""

    layers: tuple[Layer, ...]
    prototypes: Rows
    curve: tuple[CurvePoint, ...]
    epoch: int


def train_member(
    rows: TrainRows,
    held: TrainRows | None,
    settings: TrainSettings,
    *,
    seed: int,
    stop_at: int | None = None,
    on_epoch: Callable[[int, int], None] = lambda done, total: None,
) -> TrainedMember:
    """Train one member. With `held` the epoch that classified it best is kept, and training ends early;
    without, all epochs are made, or those up to `stop_at`. The same rows, settings and seed give the same
    member on the same machine.
    """
    with seeded(seed):
        return _Trainer(rows, settings, seed).run(held, stop_at or settings.epochs, on_epoch)


class _Trainer:
    def __init__(self, rows: TrainRows, settings: TrainSettings, seed: int) -> None:
        rng = np.random.default_rng(seed)
        self._settings, self._rng = settings, rng
        self._x, self._y = torch.from_numpy(rows.x), torch.from_numpy(rows.classes)
        self._net = _mlp(rows.x.shape[1], settings)
        self._loss: PrototypeLoss = make_loss(settings, rows.background + 1, settings.member_dim)
        self._sampler = ClassBalancedSampler(rows.classes, settings.balance, rows.background, rng)
        self._partners = Partners(rows.objects, rng)
        self._background = np.flatnonzero(rows.classes == rows.background)
        self._mean = _RunningMean([*self._net.parameters(), *self._loss.parameters()], settings.average)
        self._optimiser = torch.optim.AdamW(
            [
                {"params": list(self._net.parameters()), "weight_decay": settings.weight_decay},
                # prototypes are scaled to norm 1 anyway; they must find their place faster than the network
                {"params": self._loss.parameters(), "weight_decay": 0.0, "lr": 10 * settings.learning_rate},
            ],
            lr=settings.learning_rate,
        )

    def run(self, held: TrainRows | None, last: int, on_epoch: Callable[[int, int], None]) -> TrainedMember:
        settings, n = self._settings, len(self._x)
        steps = max(1, n // settings.batch_size)
        # rises over the first tenth, falls as a cosine to 0
        schedule = torch.optim.lr_scheduler.OneCycleLR(
            self._optimiser,
            max_lr=[settings.learning_rate, 10 * settings.learning_rate],
            total_steps=settings.epochs * steps + 1,
            pct_start=0.1,
        )
        curve: list[CurvePoint] = []
        best: tuple[float, int, TrainedMember] | None = None
        for epoch in range(1, last + 1):
            self._net.train()
            order = self._sampler.epoch(steps * settings.batch_size, self._hardness())
            total = 0.0
            for batch in order.reshape(steps, -1):
                total += self._step(batch)
                schedule.step()
            on_epoch(epoch, settings.epochs)
            with self._mean.in_place():
                member = self._member(epoch)
            f1, accuracy = held_out_figures(member, held) if held is not None else (None, None)
            curve.append(CurvePoint(epoch, total / steps, f1, accuracy))
            if f1 is None or best is None or f1 > best[0]:
                best = (f1 or 0.0, epoch, member)
            elif epoch - best[1] >= settings.patience:
                break
        assert best is not None  # there is at least one epoch
        return TrainedMember(best[2].layers, best[2].prototypes, tuple(curve), best[1])

    def _step(self, batch: NDArray[np.int64]) -> float:
        settings = self._settings
        places, partners = self._partners.of(batch) if settings.part_weight else (batch[:0], batch[:0])
        rows = torch.from_numpy(np.concatenate([batch, partners]))
        x, y = self._x[rows], self._y[rows[: len(batch)]]
        if settings.noise:
            x = x + settings.noise * torch.randn_like(x)
        share, other = 1.0, None
        if settings.mixup:
            share = float(self._rng.beta(settings.mixup, settings.mixup))
            other = torch.from_numpy(self._rng.permutation(len(batch)))
            mixed = share * x[: len(batch)] + (1 - share) * x[: len(batch)][other]
            # a mean of two is shorter than either; the head must not tell by that
            mixed = mixed * (share**2 + (1 - share) ** 2) ** -0.5
            x = torch.cat([mixed, x[len(batch) :]])
        z = normalize(self._net(x), dim=1)
        own = z[: len(batch)]
        loss = self._loss(own, y) * share
        if other is not None:
            loss = loss + self._loss(own, y[other]) * (1 - share)
        if len(partners) and other is None:
            pairs = (own[torch.from_numpy(places)] * z[len(batch) :]).sum(dim=1)
            loss = loss + settings.part_weight * (1 - pairs).mean()
        self._optimiser.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        self._optimiser.step()
        self._mean.update()
        return float(loss.detach())

    def _hardness(self) -> NDArray[np.float32] | None:
        """How close each background row is to the nearest prototype of a class."""
        if not len(self._background):
            return None
        with torch.no_grad():
            self._net.eval()
            z = normalize(self._net(self._x[torch.from_numpy(self._background)]), dim=1)
            self._net.train()
            return (z @ self._loss.prototypes()[:-1].flatten(0, 1).T).max(dim=1).values.numpy()

    def _member(self, epoch: int) -> TrainedMember:
        linear = [module for module in self._net if isinstance(module, nn.Linear)]
        layers = tuple(Layer(_numpy(module.weight), _numpy(module.bias)) for module in linear)
        return TrainedMember(layers, _numpy(self._loss.prototypes()), (), epoch)


def held_out_figures(member: TrainedMember, held: TrainRows) -> tuple[float, float]:
    """Macro-F1 and accuracy of the nearest prototype's class, over the rows of `held` that are of a class."""
    rows = held.x
    for i, layer in enumerate(member.layers):
        rows = (np.maximum(rows, 0) if i else rows) @ layer.weight.T + layer.bias
    n_classes, k, dim = member.prototypes.shape
    # the rows' lengths do not matter to which prototype is nearest
    guess = (rows @ member.prototypes.reshape(n_classes * k, dim).T).argmax(axis=1) // k
    known = held.classes != held.background
    f1 = []
    for name in np.unique(held.classes[known]):
        hits = (known & (held.classes == name) & (guess == name)).sum()
        f1.append(2 * hits / ((known & (held.classes == name)).sum() + (known & (guess == name)).sum()))
    return float(np.mean(f1)) if f1 else 0.0, float((guess == held.classes)[known].mean()) if f1 else 0.0


def _mlp(dim: int, settings: TrainSettings) -> nn.Sequential:
    return nn.Sequential(
        nn.Dropout(settings.dropout / 2),  # half as much: every number of the input counts once only
        nn.Linear(dim, settings.hidden),
        nn.ReLU(),
        nn.Dropout(settings.dropout),
        nn.Linear(settings.hidden, settings.member_dim),
    )


class _RunningMean:
    """The exponential running mean of parameters; its decay is smaller at first, when they move fast."""

    def __init__(self, parameters: list[nn.Parameter], decay: float) -> None:
        self._parameters, self._decay, self._n = parameters, decay, 0
        self._mean = [p.detach().clone() for p in parameters]

    def update(self) -> None:
        self._n += 1
        decay = min(self._decay, self._n / (self._n + 10))
        with torch.no_grad():
            torch._foreach_lerp_(self._mean, [p.detach() for p in self._parameters], 1 - decay)

    @contextmanager
    def in_place(self) -> Iterator[None]:
        """Have the mean in place of the parameters."""
        live = [p.detach().clone() for p in self._parameters]
        with torch.no_grad():
            for p, mean in zip(self._parameters, self._mean, strict=True):
                p.copy_(mean)
            yield
            for p, value in zip(self._parameters, live, strict=True):
                p.copy_(value)


@contextmanager
def seeded(seed: int) -> Iterator[None]:
    """One thread and a seeded generator for torch, as they were afterwards."""
    state, threads = torch.get_rng_state(), torch.get_num_threads()
    torch.manual_seed(seed)
    torch.set_num_threads(1)  # sums that depend on no machine, and small matrices gain little from more
    try:
        yield
    finally:
        torch.set_rng_state(state)
        torch.set_num_threads(threads)


def _numpy(tensor: Tensor) -> Rows:
    return np.array(tensor.detach().numpy(), dtype=np.float32)
