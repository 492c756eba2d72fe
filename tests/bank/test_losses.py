"""Losses: the own one derived again naively, those of the library by what they learn."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from samdb.bank.losses import PrototypeSoftmax, make_loss
from samdb.bank.train_settings import LOSSES, LossName, TrainSettings, settings_for


def test_the_prototype_softmax_is_minus_log_of_the_right_classs_share() -> None:
    settings = TrainSettings(prototypes_per_class=2, margin=0.1, scale=5.0)
    loss = PrototypeSoftmax(settings, 2, 2)
    loss.start_from(np.array([[[1, 0], [0, 1]], [[-1, 0], [0, -1]]], dtype=np.float32))
    z = torch.tensor([[1.0, 0.0], [0.6, -0.8]])
    # row 1 is of class 0: cosines 1 and 0 less the margin, against -1 and 0
    # row 2 is of class 1: cosines -.6 and .8 less the margin, against .6 and -.8
    right = [math.exp(5 * 0.9) + math.exp(5 * -0.1), math.exp(5 * -0.7) + math.exp(5 * 0.7)]
    wrong = [math.exp(-5.0) + math.exp(0.0), math.exp(5 * 0.6) + math.exp(5 * -0.8)]
    expected = np.mean([-math.log(r / (r + w)) for r, w in zip(right, wrong, strict=True)])
    assert float(loss(z, torch.tensor([0, 1])).detach()) == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("name", LOSSES)
def test_every_loss_pulls_its_prototypes_to_the_segments_of_their_class(name: LossName) -> None:
    torch.manual_seed(0)
    loss = make_loss(settings_for(name), 3, 3)
    z, y = torch.eye(3).repeat(10, 1), torch.arange(3).repeat(10)
    optimiser = torch.optim.Adam(loss.parameters(), lr=0.1)
    for _ in range(100):
        optimiser.zero_grad()
        loss(z, y).backward()  # type: ignore[no-untyped-call]
        optimiser.step()
    prototypes = loss.prototypes().detach()
    assert prototypes.shape == (3, 1 if name == "proxyanchor" else 8, 3)
    np.testing.assert_allclose(prototypes.norm(dim=2).numpy(), 1, atol=1e-5)
    # the nearest prototype of each segment is of its class
    best = (prototypes @ torch.eye(3)).max(dim=1).values
    assert best.argmax(dim=0).tolist() == [0, 1, 2]
    assert best.diagonal().min() > 0.4
