"""The training curves as a picture."""

from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image

from samdb.errors import InputError
from samdb.reports.training_plot import TrainingCurve, write_training_plot

CURVES = [
    TrainingCurve((2.0, 1.0, 0.5), (0.3, 0.6, 0.5), (0.5, 0.8, 0.7), 2),
    TrainingCurve((2.0, 1.5), (0.4, 0.5), (0.5, 0.6), 2),
]


def test_the_curves_become_a_picture(tmp_path: Path) -> None:
    write_training_plot(CURVES, tmp_path / "curve.png", "bank default@1")
    with Image.open(tmp_path / "curve.png") as picture:
        assert picture.size == (1080, 480)
        assert len(picture.convert("RGB").getcolors(1 << 20) or ()) > 10


def test_a_place_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="give another name"):
        write_training_plot(CURVES, tmp_path / "curve.docx", "x")
    with pytest.raises(InputError, match="cannot write"):
        write_training_plot(CURVES, tmp_path / "missing" / "curve.png", "x")
