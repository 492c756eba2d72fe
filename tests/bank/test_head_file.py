"""Heads as bytes, and banks with heads as files."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from samdb.bank.artefact import read_bank_file, write_bank_file
from samdb.bank.head_file import compact, head_fingerprint, head_of_bytes, head_to_bytes
from samdb.core.bank import Bank
from samdb.core.head import Head, Layer
from samdb.core.vectors import normalise
from samdb.errors import BankError
from tests.bank.worlds import bank_of, prototype, unit


def random_head(seed: int = 0, *, dim: int = 64, members: int = 2) -> Head:
    """A head of two-layer members, with weights as training leaves them: about 1 / sqrt(width)."""
    rng = np.random.default_rng(seed)

    def layer(rows: int, columns: int) -> Layer:
        weight = rng.normal(0, columns**-0.5, size=(rows, columns))
        return Layer(weight.astype(np.float32), rng.normal(0, 0.1, size=rows).astype(np.float32))

    return Head(
        recipes=("backbone", "token"),
        mean=rng.normal(0, 0.1, size=dim).astype(np.float32),
        scale=np.ones(dim, dtype=np.float32),
        members=tuple((layer(32, dim), layer(8, 32)) for _ in range(members)),
        mix=np.eye(8 * members, dtype=np.float32),
    )


def bank_with_head(head: Head) -> Bank:
    """A bank of two prototypes with this head."""
    plain = bank_of([prototype("a", unit(1, 0), "car"), prototype("b", unit(0, 1), "bus")])
    card = replace(plain.card, head=head_fingerprint(head), inputs=head.recipes, recipe="proj")
    return Bank(card, plain.prototypes, head)


def test_a_head_comes_back_from_its_bytes_as_it_was_compacted() -> None:
    head = compact(random_head())
    again = head_of_bytes(head_to_bytes(head))
    rows = normalise(np.random.default_rng(1).normal(size=(50, 64)))
    np.testing.assert_array_equal(again.project(rows), head.project(rows))
    assert again.recipes == ("backbone", "token")
    assert head_fingerprint(again) == head_fingerprint(head)
    assert head_fingerprint(compact(random_head(1))) != head_fingerprint(head)


def test_a_stem_comes_back_too_and_gives_the_file_a_format_of_its_own(tmp_path: Path) -> None:
    rng = np.random.default_rng(2)
    stem = Layer(rng.normal(0, 0.1, size=(64, 96)).astype(np.float32), np.ones(64, dtype=np.float32))
    plain = random_head()
    head = compact(
        Head(plain.recipes, np.zeros(96, np.float32), np.ones(96, np.float32), plain.members, plain.mix, stem)
    )
    write_bank_file(bank_with_head(head), tmp_path / "bank")
    again = read_bank_file(tmp_path / "bank").head
    assert again is not None
    rows = normalise(rng.normal(size=(50, 96)))
    np.testing.assert_array_equal(again.project(rows), head.project(rows))
    assert b'\\"format\\": \\"3\\"' in (tmp_path / "bank").read_bytes()
    assert head_fingerprint(plain) != head_fingerprint(head)


def test_half_precision_turns_projected_vectors_by_less_than_a_ten_thousandth() -> None:
    head = random_head()
    rows = normalise(np.random.default_rng(1).normal(size=(200, 64)))
    cosines = (head.project(rows) * compact(head).project(rows)).sum(axis=1)
    assert cosines.min() > 1 - 1e-4


def test_damaged_bytes_are_no_head() -> None:
    with pytest.raises(BankError, match="head is damaged"):
        head_of_bytes(head_to_bytes(random_head())[:-10])


def test_a_bank_with_a_head_travels_in_one_file(tmp_path: Path) -> None:
    file, bank = tmp_path / "bank.safetensors", bank_with_head(compact(random_head()))
    write_bank_file(bank, file)
    again = read_bank_file(file)
    assert again.card == bank.card
    assert again.head is not None
    assert head_to_bytes(again.head) == head_to_bytes(bank.head or random_head())
    first = file.read_bytes()
    write_bank_file(again, file)
    assert file.read_bytes() == first


def test_a_bank_file_with_another_banks_head_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "bank.safetensors"
    bank = bank_with_head(compact(random_head()))
    write_bank_file(Bank(bank.card, bank.prototypes, compact(random_head(1))), file)
    with pytest.raises(BankError, match="head is not the card's"):
        read_bank_file(file)


def test_a_bank_and_its_card_agree_whether_there_is_a_head() -> None:
    bank = bank_with_head(compact(random_head()))
    with pytest.raises(ValueError, match="disagree"):
        Bank(bank.card, bank.prototypes)
    with pytest.raises(ValueError, match="come together"):
        replace(bank.card, inputs=())
