"""The bank in the box on the command line: a fresh folder, no store, an answer."""

from __future__ import annotations

from pathlib import Path

import pytest

from samdb.bank.built_in import built_in_bank
from tests.cli.command import Samdb
from tests.shapes import Shapes

CARD = built_in_bank().card


@pytest.mark.weights
def test_classify_answers_in_a_fresh_folder_and_says_which_bank_does(
    shapes: Shapes, checkpoint: Path, tmp_path: Path
) -> None:
    store = tmp_path / "none"
    samdb = Samdb(
        {
            "SAMDB_STORE": str(store),
            "SAMDB_CHECKPOINT": str(checkpoint),
            "SAMDB_DEVICE": "cpu",
            "SAMDB_POINTS_PER_SIDE": "6",
        }
    )
    photo = shapes.photo("val", 100)
    done = samdb("classify", photo, "--json", "--explain", "--out", tmp_path / "out")
    assert done.code == 0, done.err
    assert f"bank {CARD.label}, which comes with samdb, answers: bicycle" in done.err
    assert done.records
    assert {r["class_name"] for r in done.records} <= {*CARD.classes, None}
    assert all(isinstance(r["explain"], dict) for r in done.records)
    assert (tmp_path / "out" / "100.png").is_file()
    assert not store.exists()

    refused = samdb("classify", photo, "--bank", "mine")
    assert refused.code == 3
    assert "there is no bank mine" in refused.err
    assert "--bank built-in" in refused.err
    other = samdb("classify", photo, "--model", "vit_b")
    assert other.code == 1
    assert "is for vit_t, not vit_b" in other.err


def test_it_is_listed_and_shown_where_there_is_no_store(bare: Samdb, tmp_path: Path) -> None:
    listed = bare("bank", "list", "--store", tmp_path / "none")
    assert listed.code == 0, listed.err
    assert listed.table[1][:2] == ["*", f"{CARD.label} (comes with samdb)"]
    (record,) = bare("bank", "list", "--json", "--store", tmp_path / "none").records
    assert (record["built_in"], record["active"]) == (True, True)
    shown = bare("bank", "show", "--store", tmp_path / "none")
    assert shown.code == 0, shown.err
    assert "not-for-profit" in shown.out
    assert "700" in shown.out
    assert not (tmp_path / "none").exists()


@pytest.mark.weights
def test_a_store_with_an_active_bank_answers_itself_unless_the_built_in_one_is_named(samdb: Samdb) -> None:
    banks = {r["bank"]: (r["active"], r["built_in"]) for r in samdb("bank", "list", "--json").records}
    assert banks.pop(CARD.label) == (False, True)
    assert [state for state in banks.values() if state[0]] == [(True, False)]
    assert "not-for-profit" not in samdb("bank", "show").out
    assert "not-for-profit" in samdb("bank", "show", "built-in").out


def test_it_can_be_copied_into_a_store(bare: Samdb, tmp_path: Path) -> None:
    store, file = tmp_path / "store", tmp_path / "bank.safetensors"
    assert bare("bank", "export", file, "--bank", "built-in", "--store", store).code == 0
    copied = bare("bank", "import", file, "--name", "driving", "--store", store)
    assert copied.code == 0, copied.err
    records = {r["name"]: r for r in bare("bank", "list", "--json", "--store", store).records}
    assert (records["built-in"]["active"], records["driving"]["active"]) == (True, False)
