"""The real things the tests of SAM work on, where this machine has them: weights and golden frames."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from samdb.core.masks import Rle
from samdb.errors import SamdbError
from samdb.sam import weights
from samdb.sam.decoder import Decoder
from samdb.sam.device import Compute, keep_freed_memory
from samdb.sam.networks import Networks, load_networks
from samdb.sam.segmenter import SamSegmenter

MODEL = "vit_t"
GOLDEN_FRAMES = ("b1c81faa-3df17267", "b1cac6a7-04e33135")
_FRAMES = Path("data/bdd100k_mini/images/100k/val")


@dataclass(frozen=True, slots=True)
class LoadedModel:
    """MobileSAM in one precision: the segmenter, and the decoder below it."""

    networks: Networks
    decoder: Decoder
    segmenter: SamSegmenter


@dataclass(frozen=True, slots=True)
class GoldenFrame:
    """What the official MobileSAM code gave for one frame.

    P box prompts with 4 outputs each: `predicted_iou` (P, 4), `mask_tokens` (P, 4, 256), `low_res_logits`
    (P, 4, 256, 256), `masks` bool (P, 4, H, W). `automatic` are the stock generator's masks at its defaults.
    """

    name: str
    image: NDArray[np.uint8]
    image_embedding: NDArray[np.float32]
    boxes_xyxy: NDArray[np.float32]
    predicted_iou: NDArray[np.float32]
    mask_tokens: NDArray[np.float32]
    low_res_logits: NDArray[np.float32]
    masks: NDArray[np.bool_]
    automatic: tuple[Rle, ...]


def shared_folder() -> Path | None:
    """The folder with the sample frames and goldens, if this machine has it."""
    named = os.environ.get("SAMDB_TEST_SHARED")
    folder = Path(named) if named else Path(__file__).resolve().parents[3] / "shared"
    return folder if folder.is_dir() else None


def find_weights() -> tuple[Path | None, str]:
    """The MobileSAM checkpoint, or None and the reason why there is none."""
    named = os.environ.get("SAMDB_TEST_WEIGHTS")
    if named:
        return weights.find(MODEL, explicit=Path(named)), ""
    shared = shared_folder()
    if shared is not None and (shared / "weights" / "mobile_sam.pt").is_file():
        return shared / "weights" / "mobile_sam.pt", ""
    return find_or_pull(MODEL)


def find_or_pull(model: str) -> tuple[Path | None, str]:
    """A model's checkpoint, fetched only where tests may, or None and the reason why there is none."""
    found = weights.find(model)
    if found is not None:
        return found, ""
    if os.environ.get("SAMDB_TEST_PULL") == "1" or os.environ.get("CI") == "true":
        try:
            return weights.pull(model), ""
        except SamdbError as exc:
            return None, f"the checkpoint of {model} could not be fetched: {exc}"
    return None, f"no checkpoint of {model} here: run `samdb weights pull {model}`, or set SAMDB_TEST_PULL=1"


def load_model(checkpoint: Path, compute: Compute) -> LoadedModel:
    """Load anew: the networks are cast in place by whoever uses them."""
    keep_freed_memory()  # as `samdb.wiring` does: same results, half the time
    networks = load_networks(MODEL, checkpoint)
    segmenter = SamSegmenter(networks, compute, weights_sha256="the published one")
    return LoadedModel(networks, Decoder(networks, compute), segmenter)


def load_golden(name: str, shared: Path) -> GoldenFrame:
    """Read one golden frame."""
    with Image.open(shared / _FRAMES / f"{name}.jpg") as picture:
        image = np.array(picture.convert("RGB"))
    automatic = json.loads((shared / "golden" / f"{name}_amg.json").read_text())
    with np.load(shared / "golden" / f"{name}_boxes.npz") as stored:
        masks = np.unpackbits(stored["masks_packed"], axis=-1)[..., : image.shape[1]].astype(bool)
        return GoldenFrame(
            name=name,
            image=image,
            image_embedding=stored["image_embedding"].astype(np.float32),
            boxes_xyxy=stored["boxes_xyxy"],
            predicted_iou=stored["predicted_iou"],
            mask_tokens=stored["mask_tokens"],
            low_res_logits=stored["low_res_logits"].astype(np.float32),
            masks=masks,
            automatic=tuple(
                Rle.from_coco(m["segmentation"]["counts"], tuple(m["segmentation"]["size"]))
                for m in automatic
            ),
        )


def street(height: int = 360, width: int = 640) -> NDArray[np.uint8]:
    """A drawn street (H, W, 3): sky, road, a red van and a yellow disc; the same at every call.

    The van fills rows [0.5 H, 0.75 H) and columns [0.2 W, 0.45 W).
    """
    y, x = np.mgrid[0:height, 0:width]
    image = np.empty((height, width, 3), dtype=np.uint8)
    image[:] = (150, 190, 230)
    image[y >= 0.6 * height] = (70, 70, 75)
    van = (y >= 0.5 * height) & (y < 0.75 * height) & (x >= 0.2 * width) & (x < 0.45 * width)
    image[van] = (190, 30, 30)
    disc = (y - 0.2 * height) ** 2 + (x - 0.8 * width) ** 2 < (0.1 * height) ** 2
    image[disc] = (250, 220, 40)
    noise = np.random.default_rng(0).integers(-6, 7, size=image.shape)
    return np.asarray(np.clip(image.astype(np.int16) + noise, 0, 255), dtype=np.uint8)
