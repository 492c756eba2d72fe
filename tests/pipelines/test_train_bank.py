"""Training a bank on a world of four numbers, activating it, and what it then says."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from samdb.bank.head_file import head_fingerprint
from samdb.bank.train_settings import TrainSettings
from samdb.core.head import HEAD_KEY, PROJECTED
from samdb.core.points import Condition
from samdb.errors import BankError, ConfigError
from samdb.pipelines.bank_versions import (
    activate_bank,
    delete_bank,
    export_bank,
    import_bank,
    list_banks,
    load_bank,
)
from samdb.pipelines.build_bank import build_bank
from samdb.pipelines.project import project_segments
from samdb.pipelines.score import ScoreSource, score_bank
from samdb.pipelines.train_bank import TrainBankReport, train_bank
from samdb.ports import VectorStore
from samdb.stores.layout import META, SEGMENTS
from samdb.stores.memory import MemoryStore
from tests.pipelines.bank_worlds import background, lay_out, put, scattered, stored

VECTORS = {"neck": 4, "token": 4, "proj": 128}
SMALL = TrainSettings(members=2, input_dim=4, hidden=16, member_dim=8, epochs=6, batch_size=16)


def world() -> MemoryStore:
    """Two classes of 40 wholes, as many held for judging, and some background."""
    store = MemoryStore()
    lay_out(store, VECTORS)
    for split in ("train", "val"):
        put(store, scattered(0, 40, "car", split=split) + scattered(1, 40, "bus", split=split))
    put(store, background(3, 30))
    return store


def train(
    store: VectorStore, *, kmeans: bool = False, activate: bool = True, seed: int = 0
) -> TrainBankReport:
    """Train on the split train, quickly."""
    return train_bank(
        store,
        recipes=("neck",),
        settings=TrainSettings(**{**SMALL.as_settings(), "seed": seed}),  # type: ignore[arg-type]
        fingerprint="f1",
        where=(Condition("split", "=", ("train",)),),
        kmeans=kmeans,
        activate=activate,
    )


@pytest.fixture(scope="module")
def trained() -> tuple[MemoryStore, TrainBankReport]:
    """A trained and activated bank, and what training told; read it only."""
    store = world()
    return store, train(store)


def test_a_trained_bank_classifies_other_images(trained: tuple[MemoryStore, TrainBankReport]) -> None:
    store, report = trained
    card = report.bank.card
    assert (card.recipe, card.inputs, card.dim) == ("proj", ("neck",), 128)
    assert {p.origin for p in load_bank(store).prototypes} == {"learned", "background"}
    assert report.bank.calibrated
    score = score_bank(store, card, ScoreSource(where=(Condition("split", "=", ("val",)),)))
    assert score.forced.accuracy > 0.95


def test_each_member_has_a_curve_that_ends_at_the_latest_where_it_must(
    trained: tuple[MemoryStore, TrainBankReport],
) -> None:
    _, report = trained
    assert len(report.curves) == len(report.best_epochs) == SMALL.members
    for curve, best in zip(report.curves, report.best_epochs, strict=True):
        assert [p.epoch for p in curve] == list(range(1, len(curve) + 1))
        f1 = [p.macro_f1 for p in curve]
        assert f1[best - 1] == max(f1, key=lambda v: v or 0)


def test_activating_projects_every_stored_segment(trained: tuple[MemoryStore, TrainBankReport]) -> None:
    store, report = trained
    bank = load_bank(store)
    assert bank.head is not None
    assert head_fingerprint(bank.head) == bank.card.head == report.bank.card.head
    for point in store.scroll(SEGMENTS, (), ("neck", PROJECTED)):
        assert point.payload[HEAD_KEY] == bank.card.head
        wanted = bank.head.project_named([point.vectors])[0]
        np.testing.assert_allclose(point.vectors[PROJECTED], wanted, atol=1e-6)


def test_the_same_seed_trains_the_same_bank(trained: tuple[MemoryStore, TrainBankReport]) -> None:
    _, report = trained
    again = train(world(), activate=False)
    assert again.bank.card.head == report.bank.card.head
    assert again.bank.card.metrics == report.bank.card.metrics
    assert train(world(), activate=False, seed=1).bank.card.head != report.bank.card.head


def test_kmeans_of_projected_vectors_is_a_choice() -> None:
    store = world()
    report = train(store, kmeans=True)
    assert {p.origin for p in load_bank(store).prototypes} == {"kmeans", "background"}
    assert report.bank.card.settings["bank"] == "kmeans"


def test_projecting_goes_on_where_it_was_stopped(monkeypatch: pytest.MonkeyPatch) -> None:
    store = world()
    first = train(store, activate=False).bank.card
    monkeypatch.setattr("samdb.pipelines.project._BATCH", 50)
    written: list[int] = []
    set_payload = store.set_payload

    def stop_in_the_second_batch(name: str, ids: Sequence[str], payload: dict[str, str]) -> None:
        if written:
            raise KeyboardInterrupt
        written.append(len(ids))
        set_payload(name, ids, payload)

    monkeypatch.setattr(store, "set_payload", stop_in_the_second_batch)
    with pytest.raises(KeyboardInterrupt):
        activate_bank(store, first.label)
    assert not any(b.active for b in list_banks(store))
    monkeypatch.setattr(store, "set_payload", set_payload)
    head = load_bank(store, first.label).head
    assert head is not None
    told: list[tuple[int, int]] = []
    report = project_segments(store, first, head, lambda done, total: told.append((done, total)))
    assert (report.n_before, report.n_projected, report.n_lacking) == (50, 140, 0)
    assert told[-1] == (140, 140)
    assert project_segments(store, first, head).n_projected == 0


def test_a_bank_for_other_recipes_or_weights_is_not_activated(tmp_path: Path) -> None:
    store = world()
    train(store)
    file = tmp_path / "bank.safetensors"
    export_bank(store, file)
    other = MemoryStore()
    lay_out(other, VECTORS)
    put(other, [stored("a", np.eye(4, dtype=np.float32)[0], "car", recipe="token")])
    card = import_bank(other, file)
    with pytest.raises(BankError, match="reads the embeddings neck, which no segment"):
        activate_bank(other, card.label)
    with pytest.raises(BankError, match="made with other weights"):
        activate_bank(other, card.label, fingerprint="f2")
    foreign = MemoryStore()
    lay_out(foreign, VECTORS)
    put(foreign, [stored("a", np.eye(4, dtype=np.float32)[0], "car", model="vit_b")])
    import_bank(foreign, file)
    with pytest.raises(BankError, match="made for vit_t, the store at memory: holds segments of vit_b"):
        activate_bank(foreign, card.label)
    assert not any(b.active for b in [*list_banks(other), *list_banks(foreign)])


def test_a_bank_with_its_head_moves_to_another_store_and_leaves_without_a_trace(tmp_path: Path) -> None:
    store, other = world(), world()
    train(store)
    file = tmp_path / "bank.safetensors"
    export_bank(store, file)
    card = import_bank(other, file, name="moved", activate=True)
    val = ScoreSource(where=(Condition("split", "=", ("val",)),))
    assert score_bank(other, card, val).forced.accuracy > 0.95
    before = other.count(META)
    delete_bank(other, card.label, force=True)
    assert other.count(META, (Condition("kind", "=", ("head",)),)) == 0
    assert other.count(META) < before


def test_a_head_that_another_bank_shares_stays(tmp_path: Path) -> None:
    store = world()
    train(store)
    file = tmp_path / "bank.safetensors"
    export_bank(store, file)
    import_bank(store, file, name="twin")
    delete_bank(store, "twin@1")
    assert load_bank(store).head is not None


def test_too_few_images_train_without_holding_any_out() -> None:
    store = MemoryStore()
    lay_out(store, VECTORS)
    put(store, [stored(str(i), np.eye(4, dtype=np.float32)[i % 2], "ab"[i % 2]) for i in range(8)])
    report = train_bank(store, recipes=("neck",), settings=SMALL)
    assert not report.bank.calibrated
    assert report.curves == ()
    assert set(report.bank.card.thresholds.values()) == {0.0}


def test_several_recipes_are_learned_from_side_by_side() -> None:
    store = MemoryStore()
    lay_out(store, VECTORS)
    segments = scattered(0, 20, "car") + scattered(1, 20, "bus")
    put(store, segments)
    with pytest.raises(BankError, match="has a 'neck' and a 'token' embedding"):
        train_bank(store, recipes=("neck", "token"), settings=SMALL)
    store.set_vectors(SEGMENTS, {s.segment_id: {"token": s.embeddings["neck"]} for s in segments})
    report = train_bank(store, recipes=("neck", "token"), settings=SMALL)
    assert report.bank.card.inputs == ("neck", "token")
    bank = load_bank(store)
    assert bank.head is not None
    assert bank.head.dim_in == 8


def test_a_name_that_cannot_be_typed_is_refused() -> None:
    with pytest.raises(ConfigError, match="cannot name a bank"):
        train_bank(world(), recipes=("neck",), settings=SMALL, name="a b")


def test_a_whitened_bank_is_projected_too() -> None:
    store = world()
    report = build_bank(store, recipe="neck", whiten=True, where=(Condition("split", "=", ("train",)),))
    assert (report.card.recipe, report.card.inputs) == ("proj", ("neck",))
    assert {p.origin for p in load_bank(store).prototypes} == {"kmeans", "background"}
    assert store.count(SEGMENTS, (Condition(HEAD_KEY, "=", (report.card.head,)),)) == 190
    val = ScoreSource(where=(Condition("split", "=", ("val",)),))
    assert score_bank(store, report.card, val).forced.accuracy > 0.95
