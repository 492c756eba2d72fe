"""The encoder on OpenVINO: what torch gives, in any batch, and nobody is told."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import torch
from torch import Tensor

from samdb.sam.device import Compute, Precision
from samdb.sam.encoder import Features, TorchEncoder
from samdb.sam.networks import Networks, build_networks
from samdb.sam.openvino_encoder import OpenVinoEncoder
from samdb.sam.openvino_export import export
from tests.sam.small_networks import inputs, small_networks

pytestmark = pytest.mark.skipif(
    importlib.util.find_spec("openvino") is None, reason="OpenVINO publishes nothing for this platform"
)
ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def networks() -> Networks:
    return small_networks()


@pytest.fixture(scope="module")
def encoder(networks: Networks) -> OpenVinoEncoder:
    return OpenVinoEncoder(export(networks), "fp32")


def furthest(a: Features, b: Features) -> float:
    """The largest difference of any number of the two."""
    return max(float((x - y).abs().max()) for x, y in ((a.neck, b.neck), (a.backbone, b.backbone)))


def cosine(a: Tensor, b: Tensor) -> float:
    return float(torch.nn.functional.cosine_similarity(a.flatten(), b.flatten(), dim=0))


@pytest.mark.parametrize("size", [(1024, 1024), (256, 256), (592, 1024)])
@torch.inference_mode()
def test_it_gives_what_torch_gives_at_any_size(
    networks: Networks, encoder: OpenVinoEncoder, size: tuple[int, int]
) -> None:
    x = inputs(1, *size)
    got = encoder(x)
    assert got.neck.shape == (1, 256, size[0] // 16, size[1] // 16)
    assert got.backbone.shape == (1, 320, size[0] // 16, size[1] // 16)
    assert got.neck.dtype == got.backbone.dtype == torch.float32
    assert furthest(got, TorchEncoder(networks, Compute("cpu", "fp32"))(x)) <= 1e-4


@pytest.mark.parametrize("n", [2, 7, 8, 9, 17])
@torch.inference_mode()
def test_a_batch_gives_what_its_images_give_one_by_one(encoder: OpenVinoEncoder, n: int) -> None:
    x = inputs(n)
    together = encoder(x)
    assert together.neck.shape == (n, 256, 16, 16)
    for i, one in enumerate(x):
        alone = encoder([one])
        row = Features(together.neck[i : i + 1], together.backbone[i : i + 1])
        assert furthest(row, alone) <= 1e-5


def test_features_stay_when_the_next_image_comes(encoder: OpenVinoEncoder) -> None:
    first, second = inputs(2)
    kept = encoder([first])
    copy = kept.neck.clone()
    encoder([second])
    assert torch.equal(kept.neck, copy)


def test_several_threads_get_their_own_answers(encoder: OpenVinoEncoder) -> None:
    images = inputs(6)
    expected = [encoder([x]).neck for x in images]
    with ThreadPoolExecutor(3) as pool:
        answers = list(pool.map(lambda x: encoder([x]).neck, images * 3))
    for i, answer in enumerate(answers):
        assert torch.equal(answer, expected[i % 6])


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_it_is_called_by_its_runtime_and_precision(networks: Networks, precision: Precision) -> None:
    assert OpenVinoEncoder(export(networks), precision).name == f"openvino-{precision}"


@torch.inference_mode()
def test_bfloat16_stays_close(networks: Networks, encoder: OpenVinoEncoder) -> None:
    x = inputs(1)
    assert cosine(OpenVinoEncoder(export(networks), "bf16")(x).neck, encoder(x).neck) >= 0.999


@pytest.mark.slow
@torch.inference_mode()
def test_tinyvit_exported_at_one_size_reads_any(tmp_path: Path) -> None:
    torch.manual_seed(0)
    networks = build_networks("vit_t")
    encoder = OpenVinoEncoder(export(networks), "fp32")
    reference = TorchEncoder(networks, Compute("cpu", "fp32"))
    # 128, 64 and 32 cells are no multiples of the windows; neither are 37 and 74
    for x in (inputs(1, 1024), inputs(8, 256), inputs(1, 592, 1024)):
        assert furthest(encoder(x), reference(x)) <= 1e-3


def test_nothing_is_sent_and_nothing_written_in_the_home_folder(tmp_path: Path) -> None:
    """Importing OpenVINO, exporting and encoding, each with any use of the network an error."""
    code = (
        "import socket, sys\n"
        "tried = []\n"
        "def refuse(event, args):\n"
        "    if event in ('socket.connect', 'socket.getaddrinfo', 'subprocess.Popen'):\n"
        "        tried.append((event, args))\n"
        "sys.addaudithook(refuse)\n"
        "from samdb.sam.openvino_encoder import OpenVinoEncoder\n"
        "from samdb.sam.openvino_export import export\n"
        "from tests.sam.small_networks import inputs, small_networks\n"
        "OpenVinoEncoder(export(small_networks()), 'fp32')(inputs(1))\n"
        "assert 'openvino.tools.ovc.telemetry_stub' in sys.modules\n"
        "assert not any(name.startswith('openvino_telemetry') for name in sys.modules)\n"
        "assert not tried, tried\n"
    )
    # without CI's own variable, under which the telemetry keeps quiet of itself
    outside = {k: v for k, v in os.environ.items() if k not in ("CI", "HOME", "USERPROFILE")}
    env = {**outside, "HOME": str(tmp_path), "USERPROFILE": str(tmp_path), "PYTHONPATH": str(ROOT)}
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, env=env, check=True)
    assert [p for p in tmp_path.rglob("*") if "intel" in p.name.lower()] == []


def test_the_telemetry_package_can_still_be_imported_by_others() -> None:
    code = (
        "from samdb.sam.openvino_export import import_openvino\n"
        "import_openvino()\n"
        "import sys\n"
        "assert 'openvino_telemetry' not in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True)


def test_the_command_line_imports_openvino_only_when_it_is_to_run() -> None:
    code = (
        "import sys\n"
        "import samdb.cli.main, samdb.wiring, samdb.sam.runtimes\n"
        "assert 'openvino' not in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True)
