"""`samdb bank train` on the drawn dataset."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.command import Samdb
from tests.shapes import Shapes

pytestmark = pytest.mark.weights


def test_a_bank_is_trained_shown_classified_with_and_searched_by(
    writer: Samdb, shapes: Shapes, tmp_path: Path
) -> None:
    plot = tmp_path / "curve.png"
    trained = writer("bank", "train", "--members", "1", "--epochs", "3", "--plot", plot)
    assert trained.code == 0, trained.err
    assert trained.table[0] == ["class", "segments", "centres", "threshold", "held-out F1"]
    assert "active" in trained.err
    assert plot.is_file()
    (record,) = writer("bank", "show", "--json").records
    assert (record["recipe"], record["inputs"]) == ("proj", ["blend"])
    assert ["made of", "blend"] in writer("bank", "show").table

    photo = shapes.photo("val", 100)
    classified = writer("classify", photo, "--json")
    assert classified.code == 0, classified.err
    assert classified.records
    found = writer("search", photo, "--point", "30,30", "--recipe", "proj", "--limit", "3", "--json")
    assert found.code == 0, found.err
    assert len(found.records) == 3

    file = tmp_path / "trained.safetensors"
    assert writer("bank", "export", file).code == 0
    assert writer("bank", "activate", "default@1").code == 0
    again = writer("bank", "import", file, "--name", "again", "--activate")
    assert again.code == 0, again.err


def test_a_bank_can_be_whitened(writer: Samdb) -> None:
    built = writer("bank", "build", "--whiten", "--no-parts")
    assert built.code == 0, built.err
    assert "'proj' vectors" in built.err


def test_what_a_bank_has_made_is_no_recipe_to_learn_from(writer: Samdb) -> None:
    done = writer("bank", "train", "--recipe", "proj")
    assert done.code == 2
    assert "is made by a bank" in done.err
