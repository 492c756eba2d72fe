"""`samdb bank` on the drawn dataset."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from samdb.bank.artefact import read_bank_file, write_bank_file
from samdb.core.bank import Bank
from samdb.sam.checkpoints import fingerprint_of
from tests.cli.command import Samdb
from tests.shapes import N_TRAIN, Shapes

pytestmark = pytest.mark.weights


def test_a_bank_is_built_listed_shown_activated_exported_imported_and_deleted(
    writer: Samdb, tmp_path: Path
) -> None:
    built = writer("bank", "build", "--name", "second", "--k", "4", "--exclude", "bar", "--seed", "3")
    assert built.code == 0, built.err
    assert built.table[0] == ["class", "segments", "centres", "threshold", "held-out F1"]
    assert [row[0] for row in built.table[1:]] == ["disc", "square"]
    assert "left out bar: excluded" in built.err
    assert "No background was learned" in built.err
    assert "bank second@1" in built.err

    listed = {r["bank"]: r for r in writer("bank", "list", "--json").records}
    assert listed.keys() == {"default@1", "second@1", "built-in@1"}
    assert listed["second@1"]["active"] is True
    assert writer("bank", "activate", "default@1").code == 0
    assert writer("bank", "delete", "default@1").code == 1
    table = writer("bank", "list")
    assert table.table[0] == ["bank", "recipe", "classes", "prototypes", "held-out F1", "made"]
    starred = [row for row in table.table if row[0] == "*"]
    assert [row[1] for row in starred] == ["default@1"]

    shown = writer("bank", "show", "second")
    assert ["bank", "second@1"] in shown.table
    assert ["exclude", "bar"] in shown.table
    (record,) = writer("bank", "show", "second", "--json").records
    assert (record["name"], record["version"], record["recipe"]) == ("second", 1, "blend")
    assert record["classes"] == ["disc", "square"]

    file = tmp_path / "bank.safetensors"
    assert writer("bank", "export", file, "--bank", "second").code == 0
    imported = writer("bank", "import", file, "--name", "third", "--activate")
    assert imported.code == 0, imported.err
    assert writer("bank", "delete", "second@1").code == 0
    assert [r["bank"] for r in writer("bank", "list", "--json").records if not r["built_in"]] == [
        "default@1",
        "third@1",
    ]
    fresh = writer("bank", "import", file, "--store", tmp_path / "fresh")
    assert fresh.code == 0, fresh.err


def test_a_bank_knows_which_weights_its_segments_come_from(samdb: Samdb) -> None:
    (record,) = samdb("bank", "show", "--json").records
    assert record["fingerprint"] == fingerprint_of("vit_t")


def test_a_bank_of_other_weights_is_noticed(writer: Samdb, shapes: Shapes, tmp_path: Path) -> None:
    file = tmp_path / "bank.safetensors"
    assert writer("bank", "export", file).code == 0
    bank = read_bank_file(file)
    write_bank_file(Bank(replace(bank.card, name="old", fingerprint="vit_t-0"), bank.prototypes), file)
    assert writer("bank", "import", file, "--activate").code == 0
    done = writer("classify", shapes.photo("val", 100))
    assert (done.code, done.out) == (1, "")
    assert "made with other weights" in done.err


def test_part_centres_can_be_left_out_and_filters_choose_the_segments(writer: Samdb) -> None:
    whole = writer(
        "bank", "build", "--no-parts", "--no-background", "--no-activate", "--where", "area_px>=10"
    )
    assert whole.code == 0, whole.err
    assert [row[1] for row in whole.table[1:]] == [str(N_TRAIN)] * 3
    assert "No background" not in whole.err
    assert "not active" in whole.err
    (record,) = (r for r in writer("bank", "list", "--json").records if r["bank"] == "default@2")
    assert record["active"] is False
    settings = record["settings"]
    assert isinstance(settings, dict)
    assert (settings["parts"], settings["where"]) == (False, "area_px>=10")


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        (
            ("build", "--exclude", "discs"),
            1,
            "cannot exclude discs: the labelled classes are bar, disc, square",
        ),
        (("build", "--where", "class_name=dog"), 1, "is labelled and matches"),
        (("build", "--recipe", "crop"), 1, "--recipes crop"),
        (("build", "--recipe", "corp"), 2, "unknown recipe 'corp'"),
        (("build", "--name", "a@b"), 2, "cannot name a bank"),
        (("build", "--k", "0"), 2, "--k"),
        (("show", "other"), 1, "there are default@1"),
        (("delete", "default"), 2, "default@1"),
        (("import", "nowhere.safetensors"), 1, "nowhere.safetensors"),
        (("export", "/proc/bank.safetensors"), 1, "/proc/bank.safetensors"),
    ],
)
def test_what_cannot_be_done_says_why(samdb: Samdb, words: tuple[str, ...], code: int, message: str) -> None:
    done = samdb("bank", *words)
    assert message in " ".join(done.err.split())
    assert (done.code, done.out) == (code, "")
