"""`samdb store` and `samdb weights`."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.command import Samdb
from tests.shapes import N_TRAIN, Shapes


def test_a_new_store_is_empty_and_stays_unmade_until_it_is_laid_out(bare: Samdb, tmp_path: Path) -> None:
    store = tmp_path / "store"
    before = bare("store", "status", "--store", store)
    assert before.code == 0
    assert before.out.splitlines() == [f"store: {store}", "empty: samdb ingest PATH"]
    assert not store.exists()
    first = bare("store", "migrate", "--store", store, "--model", "vit_b")
    assert first.code == 0
    assert "applied m0001_create_segments" in first.err
    again = bare("store", "migrate", "--store", store)
    assert again.code == 0
    assert "applied" not in again.err
    status = bare("store", "status", "--store", store)
    assert "model: vit_b" in status.out
    assert "3 applied, up to date" in status.out
    other = bare("store", "migrate", "--store", store, "--model", "vit_t")
    assert other.code == 3
    assert "--model vit_b" in other.err


@pytest.mark.weights
def test_the_status_counts_what_is_there(samdb: Samdb) -> None:
    rows = {r["collection"]: r for r in samdb("store", "status", "--json").records}
    assert rows.keys() == {"bank", "images", "meta", "segments"}
    assert rows["images"]["n_points"] == N_TRAIN
    assert {(r["model"], r["n_migrations_pending"]) for r in rows.values()} == {("vit_t", 0)}
    table = samdb("store", "status")
    assert ["collection", "points", "indexed", "segments", "disk"] in table.table
    assert ["images", str(N_TRAIN)] in [row[:2] for row in table.table]


@pytest.mark.weights
def test_a_backup_is_restored_and_searched(samdb: Samdb, shapes: Shapes, tmp_path: Path) -> None:
    search = ("search", "--segment", shapes.stored_id("disc", 0), "--limit", 5, "--json")
    before = samdb(*search).records
    saved = samdb("store", "backup", tmp_path / "backup")
    assert (saved.code, saved.out) == (0, "")
    assert f"  images: {N_TRAIN} points" in saved.err.splitlines()
    again = samdb("store", "backup", tmp_path / "backup")
    assert again.code == 3
    assert "--force" in again.err
    store = tmp_path / "restored"
    restored = samdb("store", "restore", tmp_path / "backup", "--store", store)
    assert (restored.code, restored.out) == (0, "")
    assert samdb(*search, "--store", store).records == before


def test_a_server_that_is_not_there_gets_exit_3_and_the_key_is_never_shown(bare: Samdb) -> None:
    done = bare(
        "store",
        "status",
        "--store",
        "http://127.0.0.1:9",
        SAMDB_API_KEY="s3cret-key",
        SAMDB_TIMEOUT_S="0.2",
    )
    assert (done.code, done.out) == (3, "")
    assert "127.0.0.1:9" in done.err
    assert "s3cret" not in done.err


def test_a_folder_that_is_no_store_and_an_address_that_is_none_are_refused(
    bare: Samdb, tmp_path: Path
) -> None:
    (tmp_path / "photo.jpg").touch()
    folder = bare("store", "status", "--store", tmp_path)
    assert (folder.code, folder.out) == (3, "")
    address = bare("store", "status", "--store", "ftp://there")
    assert (address.code, address.out) == (2, "")
    assert "http://host:6333" in address.err


def test_weights_are_listed_with_where_they_are(bare: Samdb, tmp_path: Path) -> None:
    nowhere = {"SAMDB_WEIGHTS_DIR": str(tmp_path), "XDG_CACHE_HOME": str(tmp_path)}
    table = bare("weights", "list", **nowhere)
    assert table.table[0] == ["model", "file", "size", "licence", "where"]
    assert [row[0] for row in table.table[1:]] == ["vit_t", "vit_b", "vit_l", "vit_h", "efficientnet_lite2"]
    assert {row[4] for row in table.table[1:]} == {"not here"}
    assert [r["path"] for r in bare("weights", "list", "--json", **nowhere).records] == [None] * 5


@pytest.mark.weights
def test_weights_that_are_here_are_pulled_and_verified_without_a_network(
    bare: Samdb, checkpoint: Path, tmp_path: Path
) -> None:
    here = tmp_path / "mobile_sam.pt"
    here.symlink_to(checkpoint)
    pulled = bare("weights", "pull", "vit_t", SAMDB_WEIGHTS_DIR=str(tmp_path))
    assert (pulled.code, pulled.out) == (0, f"{here}\n")
    verified = bare("weights", "verify", "vit_t", SAMDB_WEIGHTS_DIR=str(tmp_path))
    assert (verified.code, verified.out) == (0, f"{here}\n")


def test_damaged_and_unknown_weights_are_refused(bare: Samdb, tmp_path: Path) -> None:
    (tmp_path / "mobile_sam.pt").write_bytes(b"damaged")
    damaged = bare("weights", "verify", "vit_t", SAMDB_WEIGHTS_DIR=str(tmp_path))
    assert (damaged.code, damaged.out) == (1, "")
    assert "samdb weights pull vit_t" in damaged.err
    unknown = bare("weights", "pull", "vit_x")
    assert (unknown.code, unknown.out) == (2, "")
    assert "choose one of vit_t" in unknown.err
