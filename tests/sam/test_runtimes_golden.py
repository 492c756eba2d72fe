"""Every runtime of the encoder against the official MobileSAM code, on real frames.

Tolerances: in fp32 the embedding within 2e-2, as it is stored in float16, and masks of IoU 0.999; in bf16 a
cosine of 0.999 of the whole embedding and masks of IoU 0.95, where SAM predicts more than 0.8. Measured on a
CPU with AMX, the worst of both frames:

| runtime | largest difference | cosine | IoU |
|---|---|---|---|
| torch fp32 | 2.4e-4 | .999999 | 1 |
| openvino fp32 | 2.4e-4 | .999999 | 1 |
| torch bf16 | 9.3e-2 | .99963 | .970 |
| openvino bf16 | 9.5e-2 | .99969 | .973 |
"""

from __future__ import annotations

import importlib.util
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from samdb.core.prompt import Prompt
from samdb.sam.device import Compute, Precision, choose_compute, keep_freed_memory
from samdb.sam.encoder import ImageEncoder
from samdb.sam.networks import load_networks
from samdb.sam.runtimes import load_encoder
from samdb.sam.segmenter import SamSegmenter
from tests.sam.material import MODEL, GoldenFrame

pytestmark = [pytest.mark.weights, pytest.mark.data]
SHA256 = "the published one"
RUNTIMES = [
    ("torch", "cpu", "fp32"),
    ("openvino", "cpu", "fp32"),
    ("torch", "cpu", "bf16"),
    ("openvino", "cpu", "bf16"),
    pytest.param(("torch", "cuda", "fp32"), marks=pytest.mark.gpu),
    pytest.param(("torch", "cuda", "bf16"), marks=pytest.mark.gpu),
    pytest.param(("compile", "cuda", "bf16"), marks=pytest.mark.gpu),
]


@pytest.fixture(scope="module", params=RUNTIMES, ids="-".join)
def runtime(
    request: pytest.FixtureRequest, checkpoint: Path, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Precision, ImageEncoder, SamSegmenter]:
    """The precision, the encoder on the runtime, and a segmenter with it."""
    name, device, precision = request.param
    if device == "cuda" and not torch.cuda.is_available():
        pytest.skip("no CUDA device here")
    if precision == "bf16" and device == "cpu" and choose_compute("cpu").precision != "bf16":
        pytest.skip("this CPU does not multiply bfloat16 natively")
    if name == "openvino" and importlib.util.find_spec("openvino") is None:
        pytest.skip("OpenVINO publishes nothing for this platform")
    keep_freed_memory()
    compute = Compute(device, precision)
    networks = load_networks(MODEL, checkpoint)
    beside = tmp_path_factory.mktemp("weights") / checkpoint.name  # exported anew, nothing left behind
    encoder = load_encoder(networks, compute, name, beside, SHA256)
    return precision, encoder, SamSegmenter(networks, compute, weights_sha256=SHA256, encoder=encoder)


def iou(a: NDArray[np.bool_], b: NDArray[np.bool_]) -> float:
    return float((a & b).sum() / (a | b).sum())


def test_the_embedding_is_the_official_one(
    runtime: tuple[Precision, ImageEncoder, SamSegmenter], golden: GoldenFrame
) -> None:
    precision, _, segmenter = runtime
    ours = segmenter.encode(golden.image).features.neck.cpu().numpy()
    theirs = golden.image_embedding
    if precision == "fp32":
        assert np.abs(ours - theirs).max() <= 2e-2
    cosine = float((ours * theirs).sum() / (np.linalg.norm(ours) * np.linalg.norm(theirs)))
    assert cosine >= (0.999 if precision == "bf16" else 0.99999)


def test_box_prompts_give_the_official_masks(
    runtime: tuple[Precision, ImageEncoder, SamSegmenter], golden: GoldenFrame
) -> None:
    precision, _, segmenter = runtime
    boxes = [tuple(float(v) for v in box) for box in golden.boxes_xyxy]
    image = segmenter.encode(golden.image)
    answers = segmenter.prompt(image, [Prompt(box_xyxy=box) for box in boxes])  # type: ignore[arg-type]
    for row, candidates in enumerate(answers):
        for c in candidates:
            if golden.predicted_iou[row, c.output] > 0.8:  # where SAM itself is sure
                least = 0.999 if precision == "fp32" else 0.95
                assert iou(c.mask.decode(), golden.masks[row, c.output]) >= least
