"""What can be asked of SAM."""

from __future__ import annotations

import numpy as np
import pytest

from samdb.core.masks import Rle
from samdb.core.prompt import Prompt

MASK = Rle.encode(np.ones((2, 3), dtype=bool))
BOX = (0.0, 0.0, 2.0, 2.0)


def test_a_prompt_asks_something() -> None:
    with pytest.raises(ValueError, match="needs a box, a point or a mask"):
        Prompt()


def test_every_point_is_marked_as_foreground_or_not() -> None:
    with pytest.raises(ValueError, match="2 points but 1 foreground marks"):
        Prompt(points_xy=((1.0, 1.0), (2.0, 2.0)), foreground=(True,))


def test_a_box_names_the_prompt_before_a_mask_and_a_mask_before_points() -> None:
    assert Prompt(box_xyxy=BOX, mask=MASK, points_xy=((1.0, 1.0),), foreground=(True,)).kind == "box"
    assert Prompt(mask=MASK, points_xy=((1.0, 1.0),), foreground=(True,)).kind == "mask"
    assert Prompt(points_xy=((1.0, 1.0),), foreground=(True,)).kind == "point"
