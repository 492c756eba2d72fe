"""A bank as a file."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load, save_file

from samdb.bank.artefact import read_bank_file, write_bank_file
from samdb.bank.card import card_from_json, card_to_json
from samdb.core.bank import Bank
from samdb.errors import BankError
from tests.bank.worlds import bank_of, prototype, unit


@pytest.fixture
def bank() -> Bank:
    return bank_of(
        [
            prototype("a", unit(1, 0.3, 0, 0.1), "car", count=7),
            prototype("b", unit(0, 1, 0.7, 0), "traffic light"),
            prototype("c", unit(0.1, 0, 0, 1), None, count=2),
        ]
    )


def test_a_bank_comes_back_bit_for_bit(bank: Bank, tmp_path: Path) -> None:
    write_bank_file(bank, tmp_path / "b.safetensors")
    again = read_bank_file(tmp_path / "b.safetensors")
    assert again.card == bank.card
    assert again.matrix.tobytes() == bank.matrix.tobytes()
    assert [replace(p, vector=unit(1)) for p in again.prototypes] == [
        replace(p, vector=unit(1)) for p in bank.prototypes
    ]
    write_bank_file(again, tmp_path / "again.safetensors")
    assert (tmp_path / "again.safetensors").read_bytes() == (tmp_path / "b.safetensors").read_bytes()
    assert sorted(p.name for p in tmp_path.iterdir()) == ["again.safetensors", "b.safetensors"]


def test_any_safetensors_reader_finds_the_vectors(bank: Bank, tmp_path: Path) -> None:
    write_bank_file(bank, tmp_path / "b.safetensors")
    assert load((tmp_path / "b.safetensors").read_bytes())["vectors"].shape == (3, 4)


def test_every_flipped_byte_is_noticed(bank: Bank, tmp_path: Path) -> None:
    path = tmp_path / "b.safetensors"
    write_bank_file(bank, path)
    content = path.read_bytes()
    for position in range(0, len(content), 7):
        broken = bytearray(content)
        broken[position] ^= 0x10
        path.write_bytes(bytes(broken))
        with pytest.raises(BankError):
            read_bank_file(path)


@pytest.mark.parametrize("length", [0, 5, 100, -1])
def test_a_truncated_file_is_refused(bank: Bank, tmp_path: Path, length: int) -> None:
    path = tmp_path / "b.safetensors"
    write_bank_file(bank, path)
    path.write_bytes(path.read_bytes()[:length])
    with pytest.raises(BankError, match="export or copy it again"):
        read_bank_file(path)


def test_a_missing_file_says_how_to_make_one(tmp_path: Path) -> None:
    with pytest.raises(BankError, match="samdb bank export"):
        read_bank_file(tmp_path / "none.safetensors")


def test_another_safetensors_file_is_not_a_bank(tmp_path: Path) -> None:
    save_file({"w": np.zeros(3, np.float32)}, tmp_path / "w.safetensors")
    with pytest.raises(BankError, match="not a bank"):
        read_bank_file(tmp_path / "w.safetensors")


def test_a_newer_format_asks_for_an_update(tmp_path: Path) -> None:
    header = json.dumps({"format": "99", "card": "", "prototypes": "", "sha256": ""})
    save_file({"vectors": np.zeros((1, 4), np.float32)}, tmp_path / "n.safetensors", {"samdb_bank": header})
    with pytest.raises(BankError, match="update samdb"):
        read_bank_file(tmp_path / "n.safetensors")


def test_a_folder_that_does_not_exist_is_named(bank: Bank, tmp_path: Path) -> None:
    with pytest.raises(BankError, match="cannot write the bank"):
        write_bank_file(bank, tmp_path / "none" / "b.safetensors")


def test_a_card_keeps_every_bit_of_its_numbers(bank: Bank) -> None:
    card = replace(bank.card, thresholds={"car": 0.1 + 0.2, "traffic light": 1 / 3})
    assert card_from_json(card_to_json(card)) == card


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"name": 3}'])
def test_what_is_no_card_is_refused(text: str) -> None:
    with pytest.raises(BankError, match="cannot be read"):
        card_from_json(text)


def test_a_card_with_a_wrong_type_is_refused(bank: Bank) -> None:
    raw = json.loads(card_to_json(bank.card)) | {"version": 1.5}
    with pytest.raises(BankError, match=r"1\.5 should be a whole number"):
        card_from_json(json.dumps(raw))
