"""Settings: where they come from, and what is refused."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from samdb import wiring
from samdb.config import Settings, load_settings
from samdb.errors import ConfigError
from samdb.sam.checkpoints import fingerprint_of
from samdb.stores.memory import MemoryStore
from samdb.stores.migrate import migrate


@pytest.fixture(autouse=True)
def clean(monkeypatch: pytest.MonkeyPatch) -> None:
    """No SAMDB_ variable from outside."""
    for name in [n for n in os.environ if n.startswith("SAMDB_")]:
        monkeypatch.delenv(name)


def test_an_option_wins_over_the_environment_and_that_over_the_default(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert load_settings({}).store == "./samdb_data"
    monkeypatch.setenv("SAMDB_STORE", "http://there:6333")
    monkeypatch.setenv("SAMDB_POINTS_PER_SIDE", "16")
    assert load_settings({}).store == "http://there:6333"
    assert load_settings({"store": None}).store == "http://there:6333"
    chosen = load_settings({"store": "here"})
    assert (chosen.store, chosen.points_per_side) == ("here", 16)


def test_every_setting_has_its_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    values = {
        "store": "a",
        "store_prefix": "b",
        "api_key": "c",
        "tuning": "shards=2",
        "timeout_s": "2.5",
        "retry_s": "9",
        "prefer_grpc": "false",
        "grpc_port": "7000",
        "tls_ca": "/ca.pem",
        "tls_verify": "no",
        "model": "vit_b",
        "checkpoint": "/b.pth",
        "weights_dir": "/w",
        "device": "cpu",
        "precision": "fp32",
        "runtime": "torch",
        "automatic": "exact",
        "points_per_side": "8",
        "crop_layers": "1",
        "serve_host": "0.0.0.0",
        "serve_port": "80",
        "serve_api_key": "d",
        "serve_hosts": "samdb.example.org",
        "serve_max_upload_mb": "5",
        "serve_max_pixels": "1000000",
        "serve_uploads_mb": "100",
        "serve_upload_minutes": "5",
        "serve_queue": "4",
        "serve_rate": "2.5",
    }
    assert values.keys() == Settings.model_fields.keys()
    for name, value in values.items():
        monkeypatch.setenv(f"SAMDB_{name.upper()}", value)
    read = load_settings({})
    assert (read.timeout_s, read.prefer_grpc, read.grpc_port, read.tls_ca) == (
        2.5,
        False,
        7000,
        Path("/ca.pem"),
    )
    assert (read.model, read.checkpoint, read.tls_verify) == ("vit_b", Path("/b.pth"), False)
    assert read.api_key is not None
    assert read.api_key.get_secret_value() == "c"


def test_an_empty_variable_counts_as_not_set(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("API_KEY", "GRPC_PORT", "WEIGHTS_DIR", "STORE"):
        monkeypatch.setenv(f"SAMDB_{name}", "")
    read = load_settings({})
    assert (read.api_key, read.grpc_port, read.weights_dir, read.store) == (None, None, None, "./samdb_data")


@pytest.mark.parametrize(
    ("name", "near"), [("SAMDB_STOER", "SAMDB_STORE"), ("samdb_apikey", "SAMDB_API_KEY"), ("SAMDB_X", "")]
)
def test_an_unknown_variable_is_refused(name: str, near: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(name, "s3cret")
    with pytest.raises(ConfigError, match=name) as caught:
        load_settings({})
    assert "SAMDB_TLS_CA" in str(caught.value)
    assert (f"did you mean {near}?" in str(caught.value)) == bool(near)
    assert "s3cret" not in str(caught.value)


def test_the_test_suites_own_variables_are_no_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SAMDB_TEST_SHARED", "/somewhere")
    load_settings({})


@pytest.mark.parametrize(
    ("name", "value"),
    [("TIMEOUT_S", "soon"), ("TIMEOUT_S", "0"), ("PREFER_GRPC", "perhaps"), ("POINTS_PER_SIDE", "0")],
)
def test_a_value_that_cannot_be_used_is_named(name: str, value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(f"SAMDB_{name}", value)
    with pytest.raises(ConfigError, match=f"the setting {name.lower()} cannot be used"):
        load_settings({})


def test_secrets_are_never_shown() -> None:
    settings = load_settings({"api_key": "s3cret"})
    assert "s3cret" not in f"{settings!r} {settings} {settings.shown()}"
    assert settings.shown()["api_key"] == "**********"
    assert "s3cret" not in settings.model_dump_json()


def test_the_model_is_the_settings_then_the_stores_then_mobile_sam() -> None:
    store = MemoryStore()
    assert wiring.with_model(load_settings({}), store).model == "vit_t"
    migrate(store, wiring.layout_params(load_settings({"model": "vit_l"})))
    assert wiring.with_model(load_settings({}), store).model == "vit_l"
    assert wiring.with_model(load_settings({"model": "vit_b"}), store).model == "vit_b"


def test_fingerprints_tell_models_apart_and_are_known_without_loading_one() -> None:
    names = [
        wiring.model_fingerprint(load_settings({"model": m})) for m in ("vit_t", "vit_b", "vit_l", "vit_h")
    ]
    assert len(set(names)) == 4
    assert wiring.model_fingerprint(load_settings({})) == names[0] == fingerprint_of("vit_t")


def test_an_unknown_model_is_refused() -> None:
    with pytest.raises(ConfigError, match="vit_x"):
        wiring.layout_params(load_settings({"model": "vit_x"}))
    with pytest.raises(ConfigError, match="vit_x"):
        wiring.load_segmenter(load_settings({"model": "vit_x"}))
