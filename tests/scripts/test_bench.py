"""The benchmark's command: arguments, what it starts, what it prints."""

from __future__ import annotations

import importlib.util
import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from samdb.core.masks import Rle
from samdb.errors import ConfigError, FetchError
from samdb.sam.weights import user_weights_dir
from scripts import bench
from scripts.benchmark.official_tiny_vit import fetch_code
from scripts.benchmark.plan import Flops, Plan
from tests.scripts.bench_material import measured

KEYS = {
    "benchmark",
    "date",
    "commit",
    "machine",
    "versions",
    "threads",
    "device",
    "model",
    "weights",
    "data",
    "n_images",
    "rounds",
    "points_per_side",
    "gemm",
    "rows",
    "ratios",
    "flops",
    "notes",
    "warnings",
}
ROW_KEYS = {
    "side",
    "batch",
    "encoder",
    "precision",
    "rounds",
    "seconds",
    "per_second",
    "cpu_s",
    "peak_mb",
    "baseline_mb",
    "masks",
    "gflop",
    "gflop_per_s",
    "share_of_peak",
    "matched",
}


class Processes:
    """Answers plans as processes would; stock takes four times as long. `started` are the plans given."""

    def __init__(self) -> None:
        self.started: list[Plan] = []

    def __call__(self, plan: Plan) -> dict[str, Any]:
        self.started.append(plan)
        if plan.task == "gemm":
            return {"fp32": 1e11, "bf16": 4e11}
        if plan.task == "bank":
            return {"bank": "default@1"}
        if plan.task == "flops":
            return asdict(Flops(1e9, 1e9, None if plan.side == "stock" else 3e9))
        if plan.masks_file:
            counts = Rle.encode(np.eye(8, dtype=bool)).counts
            Path(plan.masks_file).write_text(json.dumps([[{"size": [8, 8], "counts": counts}]]))
        sizes = [str(b) for b in plan.batch_sizes] if plan.benchmark in ("encoder", "decoder") else [""]
        seconds = 4.0 if plan.side == "stock" else 1.0
        return asdict(measured([seconds], seconds={size: [seconds] for size in sizes}))


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """Three photographs without labels."""
    for name in ("a", "b", "c"):
        Image.new("RGB", (64, 48), (90, 90, 90)).save(tmp_path / f"{name}.jpg")
    return tmp_path


@pytest.fixture(autouse=True)
def weights(monkeypatch: pytest.MonkeyPatch) -> None:
    """A checkpoint that nobody opens."""
    monkeypatch.setattr(bench, "_checkpoint", lambda model, _: "" if model == "vit_b" else "mobile_sam.pt")


def test_auto_prints_one_json_object_with_stable_keys(data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert bench.main(["auto", "--n", "3", "--json", "--data", str(data)], Processes()) == 0
    report = json.loads(capsys.readouterr().out)
    assert set(report) == KEYS
    assert set(report["rows"][0]) == ROW_KEYS
    assert [r["side"] for r in report["rows"]] == ["samdb exact", "samdb fast", "stock"]
    assert set(report["ratios"][0]) == {
        "side",
        "batch",
        "speed",
        "speed_min",
        "speed_max",
        "cpu_time",
        "peak_memory",
    }
    assert [r["speed"] for r in report["ratios"]] == [4.0, 4.0]
    assert report["rows"][0]["matched"] == 1.0
    assert {"cpu", "cores", "isa", "ram_gb", "system"} <= set(report["machine"])
    assert not any("round" in w for w in report["warnings"])


def test_the_table_shows_both_sides_the_ratio_the_machine_and_the_commit(
    data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert bench.main(["auto", "--n", "1", "--mode", "exact", "--data", str(data)], Processes()) == 0
    printed = capsys.readouterr()
    for text in ("samdb exact", "stock", "4.00 x stock's speed", "commit ", "Matrix product", "cores"):
        assert text in printed.out
    assert "samdb fast" not in printed.out
    assert "1 round(s): not a measurement" in printed.err


def test_the_bank_of_classify_is_built_once_and_shared(data: Path) -> None:
    processes = Processes()
    bench.main(["classify", "--n", "2", "--mode", "fast", "--json", "--data", str(data)], processes)
    assert [(p.task, p.name) for p in processes.started] == [
        ("gemm", "samdb fast"),
        ("bank", "samdb fast"),
        ("flops", "samdb fast"),
        ("flops", "stock"),
        ("measure", "samdb fast"),
        ("measure", "stock"),
        ("measure", "samdb fast"),
        ("measure", "stock"),
    ]
    assert len({p.store for p in processes.started}) == 1


def test_on_a_gpu_several_batch_sizes_are_timed_with_random_weights(
    capsys: pytest.CaptureFixture[str],
) -> None:
    arguments = ["encoder", "--device", "cuda", "--model", "vit_b", "--precision", "bf16", "--json"]
    processes = Processes()
    assert bench.main(arguments, processes) == 0
    report = json.loads(capsys.readouterr().out)
    assert report["weights"] == "random weights"
    assert any("random weights" in note for note in report["notes"])
    assert [r["batch"] for r in report["rows"] if r["side"] == "samdb"] == ["1", "8", "32"]
    assert {(p.device, p.checkpoint) for p in processes.started} == {("cuda", "")}


def test_batch_sizes_can_be_chosen(capsys: pytest.CaptureFixture[str]) -> None:
    processes = Processes()
    assert bench.main(["decoder", "--batch-sizes", "4,16", "--n", "1", "--json"], processes) == 0
    assert processes.started[0].batch_sizes == (4, 16)
    assert bench.main(["decoder", "--batch-sizes", "0"], processes) == ConfigError.exit_code
    assert "give whole numbers from 1" in capsys.readouterr().err


def test_what_draws_masks_needs_real_weights(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()
    monkeypatch.setattr(bench, "find", lambda *_: None)
    assert bench._checkpoint("vit_h", "encoder") == ""
    with pytest.raises(ConfigError, match="samdb weights pull vit_h"):
        bench._checkpoint("vit_h", "auto")


@pytest.mark.slow
@pytest.mark.weights
def test_both_sides_find_the_same_masks_in_a_small_grid(
    tmp_path: Path, checkpoint: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    if importlib.util.find_spec("torchvision") is None:
        pytest.skip("torchvision is not installed: scripts/bench installs it")
    try:
        fetch_code(user_weights_dir().parent / "benchmark")
    except FetchError as exc:
        pytest.skip(f"MobileSAM's code cannot be fetched from here: {exc}")
    pixels = np.full((120, 160, 3), (30, 60, 120), dtype=np.uint8)
    pixels[30:90, 20:70] = (220, 60, 40)
    pixels[40:100, 100:140] = (240, 230, 90)
    Image.fromarray(pixels).save(tmp_path / "blocks.png")
    monkeypatch.setattr(bench, "_checkpoint", lambda *_: str(checkpoint))
    arguments = [
        "auto",
        "--n",
        "1",
        "--mode",
        "exact",
        "--precision",
        "fp32",
        "--points-per-side",
        "4",
        "--json",
    ]
    assert bench.main([*arguments, "--data", str(tmp_path)]) == 0
    ours, stock = json.loads(capsys.readouterr().out)["rows"]
    assert ours["masks"] == stock["masks"] >= 2
    assert ours["matched"] == 1.0
    assert ours["seconds"]["median"] < stock["seconds"]["median"]
    assert ours["gflop"] < stock["gflop"]
