"""What the API answers, as it is written in the OpenAPI document."""

from __future__ import annotations

from typing import Annotated, Literal, TypeAlias

from pydantic import BaseModel, ConfigDict, Field

from samdb.core.bank import Outcome
from samdb.core.sample import Attribute
from samdb.core.segment import Granularity, LabelSource

BoxList: TypeAlias = Annotated[
    list[float],
    Field(
        min_length=4,
        max_length=4,
        description="[x0, y0, x1, y1] in px of the upright image, x1 and y1 exclusive",
    ),
]
Polygons: TypeAlias = Annotated[
    list[list[float]],
    Field(description="outlines [x0, y0, x1, y1, ...] in px; filled together by the even-odd rule"),
]


class Answer(BaseModel):
    """Base of all answers; their examples are in `samdb.server.examples`."""

    model_config = ConfigDict(frozen=True)


class ErrorDetail(Answer):
    """What went wrong: a code for programs, and for people what to do next."""

    code: str
    message: str


class ErrorAnswer(Answer):
    """Every failure."""

    error: ErrorDetail


class Mask(Answer):
    """A mask as COCO's compressed run lengths."""

    size: tuple[int, int] = Field(description="height and width of the image, px")
    counts: str


class Health(Answer):
    """That the server runs."""

    status: Literal["ok"] = "ok"


class Readiness(Answer):
    """Whether the server can answer: `store` tells how the store is."""

    status: Literal["ok", "unavailable"]
    store: str
    model: str
    sam_loaded: bool


class Limits(Answer):
    """How much may be asked for."""

    max_upload_bytes: int
    max_pixels: int
    max_results: int


class Split(Answer):
    """A split of a dataset."""

    name: str
    n_images: int


class DatasetInfo(Answer):
    """A dataset that was ingested."""

    name: str
    splits: list[Split]
    n_images: int
    n_segments: int


class Totals(Answer):
    """What the store holds."""

    images: int
    segments: int


class Info(Answer):
    """The server, its store and its limits."""

    version: str
    store: str
    model: str
    sam_loaded: bool
    recipes: list[str]
    default_recipe: str
    active_bank: str | None = Field(description="the bank that classifies")
    active_bank_built_in: bool = Field(description="whether it is the one that comes with samdb")
    auth: bool = Field(description="whether an API key is needed")
    limits: Limits
    datasets: list[DatasetInfo]
    totals: Totals
    keys: list[str] = Field(description="payload keys that can be counted and filtered on")


class Facets(Answer):
    """How many segments match, and how many of them have each value of each key, most frequent first."""

    total: int
    counts: dict[str, dict[str, int]]


class ImageInfo(Answer):
    """An image. `status` is done, pending (being cut anew) or quarantined (`reason` says why)."""

    image_key: str
    dataset: str
    split: str
    image_id: str
    width: int | None
    height: int | None
    n_segments: int
    status: str
    reason: str | None
    attributes: dict[str, Attribute]


class ImageList(Answer):
    """A page of images; `next` is the cursor of the page after it."""

    items: list[ImageInfo]
    next: str | None
    total: int


class SegmentInfo(Answer):
    """A stored segment. `polygons` or `mask` are there where a format was asked for."""

    segment_id: str
    image_key: str
    dataset: str
    split: str
    image_id: str
    box_xyxy: BoxList
    area_px: int
    granularity: Granularity
    parent_id: str | None
    class_name: str | None
    label_source: LabelSource
    predicted_iou: float
    stability_score: float
    attributes: dict[str, Attribute]
    flags: list[str]
    polygons: Polygons | None = None
    mask: Mask | None = None


class SegmentList(Answer):
    """A page of segments; `next` is the cursor of the page after it."""

    items: list[SegmentInfo]
    next: str | None
    total: int


class SegmentsOfImage(Answer):
    """All segments of an image, the largest first."""

    items: list[SegmentInfo]


class UploadInfo(Answer):
    """An uploaded image; unused for `expires_in_s` it goes."""

    upload_id: str
    width: int
    height: int
    expires_in_s: int


class MaskInfo(Answer):
    """A mask that SAM offers: the decoder's `output` (0: the single mask), how good it thinks it is."""

    output: int
    predicted_iou: float
    stability_score: float
    box_xyxy: BoxList
    area_px: int
    granularity: Granularity
    polygons: Polygons
    mask: Mask


class MaskList(Answer):
    """The masks at a prompt, the one that a search would take first."""

    items: list[MaskInfo]


class HitInfo(Answer):
    """A segment that was found; `score` is the cosine to the closest positive example."""

    rank: int
    score: float
    segment: SegmentInfo


class SearchAnswer(Answer):
    """The hits, best first, and where the next page starts. `sam_ms` is what cutting out examples took."""

    items: list[HitInfo]
    next_offset: int | None
    took_ms: float
    sam_ms: float


class Candidate(Answer):
    """A class that had a vote; null is background."""

    class_name: str | None
    score: float


class ClassifiedInfo(Answer):
    """A segment of an image and what the bank says of it. `outcome` is class, ambiguous or unknown."""

    box_xyxy: BoxList
    polygons: Polygons
    mask: Mask
    granularity: Granularity
    class_name: str | None
    score: float
    runner_up: str | None
    outcome: Outcome
    reason: str | None
    candidates: list[Candidate]
    segment_id: str | None = Field(description="the stored segment that it is, if it is one")


class ClassifyAnswer(Answer):
    """What a bank says of an image; `problems` are boxes that could not be used."""

    bank: str
    built_in: bool = Field(description="whether that is the bank that comes with samdb")
    items: list[ClassifiedInfo]
    problems: list[str]


class Changed(Answer):
    """How many segments were renamed, and what takes it back; `inherited` are parts that followed."""

    changed: int
    inherited: int
    undo_id: str


class Undone(Answer):
    """How many segments are again what they were."""

    changed: int


class BankClass(Answer):
    """A class of a bank: how many segments it was learned from, and the score below which it is rejected."""

    class_name: str
    count: int
    threshold: float | None


class BankInfo(Answer):
    """A version of a memory bank."""

    label: str = Field(description="name@version")
    name: str
    version: int
    active: bool
    built_in: bool = Field(description="whether it comes with samdb: its prototypes have no segments here")
    trained_on: str | None
    data_licence: str | None = Field(description="of what it was trained on, where that is known")
    model: str
    recipe: str
    n_prototypes: int
    classes: list[BankClass]
    metrics: dict[str, float]
    created: str


class BankList(Answer):
    """The banks, by name and version."""

    items: list[BankInfo]


class PrototypeInfo(Answer):
    """A prototype, how many segments it stands for, and the real segment closest to it."""

    prototype_id: str
    class_name: str | None
    origin: str
    granularity: Granularity
    count: int
    threshold: float | None
    exemplar: SegmentInfo | None


class PrototypeList(Answer):
    """The prototypes of a bank, class by class, those that stand for most first."""

    items: list[PrototypeInfo]


class MapPoint(Answer):
    """A segment on the map, x and y in [-1, 1]."""

    segment_id: str
    image_key: str
    x: float
    y: float
    class_name: str | None
    label_source: LabelSource
    granularity: Granularity
    dataset: str
    split: str
    attributes: dict[str, Attribute]


class MapAnswer(Answer):
    """Segments on the plane on which they differ most; the axes explain these shares of the variance."""

    items: list[MapPoint]
    explained: list[float]
    recipe: str


class LoggedIn(Answer):
    """That the key was right: the cookie does for further requests."""

    status: Literal["ok"] = "ok"
