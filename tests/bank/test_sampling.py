"""What a head sees: how often, and beside what."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from samdb.bank.sampling import ClassBalancedSampler, Partners


def shares(classes: NDArray[np.int64], balance: float) -> list[float]:
    sampler = ClassBalancedSampler(classes, balance, 2, np.random.default_rng(0))
    drawn = classes[sampler.epoch(20_000)]
    return [float((drawn == c).mean()) for c in range(2)]


def test_classes_are_drawn_by_a_power_of_their_size() -> None:
    classes = np.array([0] * 90 + [1] * 10)
    np.testing.assert_allclose(shares(classes, 0.0), [0.9, 0.1], atol=0.01)
    # square roots of 90 and 10 are as 3 to 1
    np.testing.assert_allclose(shares(classes, 0.5), [0.75, 0.25], atol=0.01)
    np.testing.assert_allclose(shares(classes, 1.0), [0.5, 0.5], atol=0.01)


def test_half_of_the_background_that_is_drawn_is_its_hardest_fifth() -> None:
    classes = np.array([0] * 10 + [2] * 10)
    sampler = ClassBalancedSampler(classes, 0.0, 2, np.random.default_rng(0))
    hardness = np.array([0, 0, 0, 0.9, 0, 0, 0.8, 0, 0, 0], dtype=np.float32)
    drawn = sampler.epoch(20_000, hardness)
    background = drawn[drawn >= 10]
    # half by choice, and of the other half a fifth by chance
    assert abs(np.isin(background, [13, 16]).mean() - 0.6) < 0.02
    assert abs((drawn < 10).mean() - 0.5) < 0.02


def test_a_partner_is_another_segment_of_the_same_object() -> None:
    # object 7 has three segments, object 3 one, and two rows are of no known object
    partners = Partners(np.array([7, -1, 3, 7, -1, 7]), np.random.default_rng(0))
    seen: set[tuple[int, int]] = set()
    for _ in range(50):
        places, found = partners.of(np.array([0, 1, 2, 3, 4, 5]))
        assert places.tolist() == [0, 3, 5]
        seen |= set(zip(places.tolist(), found.tolist(), strict=True))
    assert seen == {(0, 3), (0, 5), (3, 0), (3, 5), (5, 0), (5, 3)}
