"""Which runtime is taken, what is said when it cannot be, and where its export is kept."""

from __future__ import annotations

import importlib.util
import logging
import multiprocessing
import os
import sys
from pathlib import Path

import pytest
import torch

from samdb.errors import ConfigError
from samdb.sam import openvino_export
from samdb.sam.device import Compute
from samdb.sam.encoder import CompiledTorchEncoder, TorchEncoder
from samdb.sam.openvino_encoder import OpenVinoEncoder
from samdb.sam.runtimes import choose_runtime, load_encoder
from samdb.sam.weights import user_weights_dir
from tests.sam.small_networks import inputs, small_networks

CPU = Compute("cpu", "fp32")
SHA256 = "0" * 64
needs_openvino = pytest.mark.skipif(
    importlib.util.find_spec("openvino") is None, reason="OpenVINO publishes nothing for this platform"
)


@pytest.fixture(autouse=True)
def user_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The user's folder for weights, away from the real one."""
    for name in ("HOME", "XDG_CACHE_HOME", "LOCALAPPDATA"):  # as each platform has it
        monkeypatch.setenv(name, str(tmp_path / "user"))
    return user_weights_dir()


@pytest.fixture
def checkpoint(tmp_path: Path) -> Path:
    """Where the checkpoint would be; it is not read here."""
    (tmp_path / "weights").mkdir()
    return tmp_path / "weights" / "mobile_sam.pt"


def without_openvino(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)


def exports_below(folder: Path) -> list[Path]:
    return sorted(folder.rglob("encoder.xml"))


@needs_openvino
def test_a_cpu_gets_openvino_and_a_gpu_torch() -> None:
    assert choose_runtime("auto", CPU) == "openvino"
    assert choose_runtime("auto", Compute("cuda", "bf16")) == "torch"
    assert choose_runtime("auto", Compute("mps", "fp32")) == "torch"


def test_a_cpu_without_openvino_gets_torch(monkeypatch: pytest.MonkeyPatch) -> None:
    without_openvino(monkeypatch)
    assert choose_runtime("auto", CPU) == "torch"
    with pytest.raises(ConfigError, match="pip install openvino"):
        choose_runtime("openvino", CPU)


def test_openvino_is_for_the_cpu() -> None:
    with pytest.raises(ConfigError, match="use --device cpu, or --runtime torch"):
        choose_runtime("openvino", Compute("cuda:1", "bf16"))


def test_what_is_asked_for_is_taken(checkpoint: Path) -> None:
    encoder = load_encoder(small_networks(), CPU, "torch", checkpoint, SHA256)
    assert type(encoder) is TorchEncoder
    assert choose_runtime("compile", Compute("cuda", "bf16")) == "compile"


@pytest.mark.parametrize("runtime", ["onnx", "", "OpenVINO"])
def test_an_unknown_runtime_is_refused_with_the_known_ones(runtime: str) -> None:
    with pytest.raises(ConfigError, match="use auto, torch, compile or openvino"):
        choose_runtime(runtime, CPU)


@needs_openvino
def test_the_export_is_made_once_and_kept_beside_the_checkpoint(
    checkpoint: Path, user_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = load_encoder(small_networks(), CPU, "auto", checkpoint, SHA256)
    assert [p.parents[2] for p in exports_below(checkpoint.parent)] == [checkpoint.parent]
    assert not user_folder.exists()

    monkeypatch.setattr(openvino_export, "export", None)  # not to be called again
    second = load_encoder(small_networks(), CPU, "auto", checkpoint, SHA256)
    assert first.name == second.name == "openvino-fp32"
    x = inputs(1)
    assert torch.equal(first(x).neck, second(x).neck)


@needs_openvino
def test_other_weights_get_an_export_of_their_own_and_the_old_one_goes(checkpoint: Path) -> None:
    x = inputs(1)
    old = load_encoder(small_networks(seed=0), CPU, "openvino", checkpoint, SHA256)
    new = load_encoder(small_networks(seed=1), CPU, "openvino", checkpoint, "1" * 64)
    assert not torch.equal(old(x).neck, new(x).neck)
    assert len(exports_below(checkpoint.parent)) == 1


@needs_openvino
@pytest.mark.parametrize("name", ["encoder.xml", "encoder.bin", "made_of.json"])
def test_a_truncated_export_is_made_anew(checkpoint: Path, name: str) -> None:
    networks, x = small_networks(), inputs(1)
    expected = load_encoder(networks, CPU, "openvino", checkpoint, SHA256)(x).neck
    folder = exports_below(checkpoint.parent)[0].parent
    whole = (folder / name).stat().st_size
    os.truncate(folder / name, whole // 2)
    assert torch.equal(load_encoder(networks, CPU, "openvino", checkpoint, SHA256)(x).neck, expected)
    assert (folder / name).stat().st_size > whole // 2  # names in it differ from time to time


@needs_openvino
def test_where_the_checkpoints_folder_takes_nothing_the_users_folder_does(
    checkpoint: Path, user_folder: Path
) -> None:
    (checkpoint.parent / "openvino").write_text("in the way")  # as good as no permission, also for root
    encoder = load_encoder(small_networks(), CPU, "auto", checkpoint, SHA256)
    assert isinstance(encoder, OpenVinoEncoder)
    assert [p.parents[2] for p in exports_below(user_folder)] == [user_folder]


@needs_openvino
def test_where_no_folder_takes_it_the_export_is_used_from_memory(checkpoint: Path, user_folder: Path) -> None:
    for folder in (checkpoint.parent, user_folder):
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "openvino").write_text("in the way")
    encoder = load_encoder(small_networks(), CPU, "openvino", checkpoint, SHA256)
    assert encoder(inputs(1)).neck.shape == (1, 256, 16, 16)


def _load_with_little_room(checkpoint: Path) -> None:
    import resource

    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))  # the weights are 3 MB
    encoder = load_encoder(small_networks(), CPU, "openvino", checkpoint, SHA256)
    assert encoder(inputs(1)).neck.isfinite().all()


@needs_openvino
@pytest.mark.skipif(sys.platform == "win32", reason="limits files as POSIX does")
def test_on_a_full_disk_the_export_is_used_from_memory_and_nothing_half_stays(
    checkpoint: Path, user_folder: Path
) -> None:
    process = multiprocessing.get_context("spawn").Process(target=_load_with_little_room, args=(checkpoint,))
    process.start()
    process.join(120)
    assert process.exitcode == 0
    left = [p for folder in (checkpoint.parent, user_folder) for p in folder.rglob("*.*")]
    assert all(p.name == ".vit_t.lock" for p in left)


def _load(checkpoint: Path) -> None:
    encoder = load_encoder(small_networks(), CPU, "openvino", checkpoint, SHA256)
    assert encoder(inputs(1)).neck.isfinite().all()


@needs_openvino
def test_two_processes_that_start_at_once_both_work(checkpoint: Path) -> None:
    spawn = multiprocessing.get_context("spawn")
    both = [spawn.Process(target=_load, args=(checkpoint,)) for _ in range(2)]
    for process in both:
        process.start()
    for process in both:
        process.join(120)
    assert [process.exitcode for process in both] == [0, 0]
    assert len(exports_below(checkpoint.parent)) == 1


@needs_openvino
def test_an_openvino_that_fails_gives_way_to_torch_with_a_warning(
    checkpoint: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(networks: object) -> None:
        raise RuntimeError("no such operation\nand a long story")

    monkeypatch.setattr(openvino_export, "export", fail)
    with caplog.at_level(logging.WARNING):
        encoder = load_encoder(small_networks(), CPU, "auto", checkpoint, SHA256)
    assert type(encoder) is TorchEncoder
    assert [r.getMessage() for r in caplog.records] == [
        "OpenVINO does not work here (RuntimeError: no such operation): torch takes its place, slower"
    ]
    with pytest.raises(ConfigError, match=r"no such operation.*use --runtime torch"):
        load_encoder(small_networks(), CPU, "openvino", checkpoint, SHA256)


@pytest.mark.slow
@torch.inference_mode()
@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # torch's compiler imports what torch gave up
def test_a_compiled_encoder_gives_what_torch_gives() -> None:
    networks, x = small_networks(), inputs(1)
    try:
        encoder = CompiledTorchEncoder(networks, CPU)
    except ConfigError as exc:
        pytest.skip(f"torch compiles nothing on this machine: {exc}")
    assert encoder.name == "compile-fp32"
    assert float((encoder(x).neck - TorchEncoder(networks, CPU)(x).neck).abs().max()) <= 1e-4


def test_a_compiler_that_fails_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(batch: torch.Tensor) -> None:
        raise RuntimeError("no compiler found")

    monkeypatch.setattr(torch, "compile", lambda network: fail)
    with pytest.raises(ConfigError, match=r"no compiler found.*use --runtime torch"):
        CompiledTorchEncoder(small_networks(), CPU)
