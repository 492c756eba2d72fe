"""An example of everything that the API takes and gives, by the name of its model, for the OpenAPI document.

All are of one imaginary frame, so that they fit together.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, TypeAlias

from pydantic import JsonValue

Example: TypeAlias = dict[str, JsonValue]

IMAGE_KEY: Final = "d497a240-d8c5-5c80-84cd-32227648fc6e"
SEGMENT_ID: Final = "5f0e3c1a-0d8e-5a5b-9a61-2f1d3c7b9e40"
_OTHER_ID: Final = "77b1d2c4-6a0f-5f3d-8b52-90e4a1c6d3f7"
UPLOAD_ID: Final = "0b9f6f5e-3f0c-4c55-8f0e-5d1b7f5f2a11"
_UNDO_ID: Final = "9c2b1a70-55d4-4b0e-a6b7-1f2e3d4c5b6a"
_FRAME: Final = "images/100k/val/b1c81faa-3df17267.jpg"

# the box as run lengths: its columns are alike
_mask: Example = {"size": [360, 640], "counts": "dU]1j2^8" + "0" * 317 + "\\bk3"}
_box: list[JsonValue] = [128, 180, 288, 270]
_outline: list[JsonValue] = [[128, 180, 288, 180, 288, 270, 128, 270]]
_attributes: Example = {"timeofday": "night", "weather": "clear", "occluded": False}

_image: Example = {
    "image_key": IMAGE_KEY,
    "dataset": "bdd100k",
    "split": "val",
    "image_id": _FRAME,
    "width": 640,
    "height": 360,
    "n_segments": 41,
    "status": "done",
    "reason": None,
    "attributes": {"timeofday": "night", "weather": "clear"},
}
_segment: Example = {
    "segment_id": SEGMENT_ID,
    "image_key": IMAGE_KEY,
    "dataset": "bdd100k",
    "split": "val",
    "image_id": _FRAME,
    "box_xyxy": _box,
    "area_px": 14400,
    "granularity": "whole",
    "parent_id": None,
    "class_name": "car",
    "label_source": "box",
    "predicted_iou": 0.97,
    "stability_score": 0.98,
    "attributes": _attributes,
    "flags": [],
    "polygons": None,
    "mask": None,
}
_outlined: Example = {**_segment, "polygons": _outline}
_split: Example = {"name": "val", "n_images": 200}
_dataset: Example = {"name": "bdd100k", "splits": [_split], "n_images": 200, "n_segments": 9405}
_limits: Example = {"max_upload_bytes": 25_000_000, "max_pixels": 50_000_000, "max_results": 500}
_totals: Example = {"images": 200, "segments": 9405}
_offered: Example = {
    "output": 0,
    "predicted_iou": 0.97,
    "stability_score": 0.98,
    "box_xyxy": _box,
    "area_px": 14400,
    "granularity": "whole",
    "polygons": _outline,
    "mask": _mask,
}
_hit: Example = {"rank": 1, "score": 0.93, "segment": {**_segment, "segment_id": _OTHER_ID}}
_candidate: Example = {"class_name": "car", "score": 0.91}
_classified: Example = {
    "box_xyxy": _box,
    "polygons": _outline,
    "mask": _mask,
    "granularity": "whole",
    "class_name": "car",
    "score": 0.91,
    "runner_up": "truck",
    "outcome": "class",
    "reason": None,
    "candidates": [_candidate, {"class_name": "truck", "score": 0.06}],
    "segment_id": SEGMENT_ID,
}
_bank_class: Example = {"class_name": "car", "count": 8375, "threshold": 0.29}
_bank: Example = {
    "label": "default@3",
    "name": "default",
    "version": 3,
    "active": True,
    "built_in": False,
    "trained_on": None,
    "data_licence": None,
    "model": "vit_t",
    "recipe": "blend",
    "n_prototypes": 357,
    "classes": [_bank_class],
    "metrics": {"held_out_accuracy": 0.87, "held_out_f1/car": 0.94},
    "created": "2026-11-27T06:12:46+00:00",
}
_prototype: Example = {
    "prototype_id": "3c8f9d0e-7f66-5b0e-8d6b-0a4f5e2c1b98",
    "class_name": "car",
    "origin": "kmeans",
    "granularity": "whole",
    "count": 164,
    "threshold": 0.29,
    "exemplar": _segment,
}
_point: Example = {
    "segment_id": SEGMENT_ID,
    "image_key": IMAGE_KEY,
    "x": 0.312,
    "y": -0.074,
    "class_name": "car",
    "label_source": "box",
    "granularity": "whole",
    "dataset": "bdd100k",
    "split": "val",
    "attributes": _attributes,
}
_error: Example = {
    "code": "not_found",
    "message": "there is no image of that key: `samdb ingest` adds images",
}
_stored: Example = {"segment_id": SEGMENT_ID}

EXAMPLES: Final[Mapping[str, Example]] = {
    # what is asked
    "MaskIn": _mask,
    "ExampleIn": _stored,
    "SearchIn": {"positives": [_stored], "where": ["class_name=car", "timeofday=night"], "limit": 20},
    "MasksIn": {"image_key": IMAGE_KEY, "box_xyxy": _box},
    "ClassifyIn": {"image_key": IMAGE_KEY},
    "LabelsIn": {"segment_ids": [SEGMENT_ID, _OTHER_ID], "class_name": "car"},
    "UndoIn": {"undo_id": _UNDO_ID},
    "LoginIn": {"key": "correct horse battery staple"},
    # what is answered
    "ErrorDetail": _error,
    "ErrorAnswer": {"error": _error},
    "Mask": _mask,
    "Health": {"status": "ok"},
    "Readiness": {"status": "ok", "store": "ok", "model": "vit_t", "sam_loaded": False},
    "Limits": _limits,
    "Split": _split,
    "DatasetInfo": _dataset,
    "Totals": _totals,
    "Info": {
        "version": "1.0.0",
        "store": "./samdb_data",
        "model": "vit_t",
        "sam_loaded": False,
        "recipes": ["blend"],
        "default_recipe": "blend",
        "active_bank": "default@3",
        "active_bank_built_in": False,
        "auth": False,
        "limits": _limits,
        "datasets": [_dataset],
        "totals": _totals,
        "keys": ["class_name", "granularity", "split", "timeofday"],
    },
    "Facets": {"total": 9405, "counts": {"class_name": {"car": 2115, "traffic sign": 690}}},
    "ImageInfo": _image,
    "ImageList": {"items": [_image], "next": "d5a0c0de-3b0f-5a43-9d3e-6a1f0b7c2e19", "total": 200},
    "SegmentInfo": _outlined,
    "SegmentList": {"items": [_segment], "next": _OTHER_ID, "total": 2115},
    "SegmentsOfImage": {"items": [_outlined]},
    "UploadInfo": {"upload_id": UPLOAD_ID, "width": 1280, "height": 720, "expires_in_s": 3600},
    "MaskInfo": _offered,
    "MaskList": {"items": [_offered]},
    "HitInfo": _hit,
    "SearchAnswer": {"items": [_hit], "next_offset": None, "took_ms": 4.1, "sam_ms": 0.0},
    "Candidate": _candidate,
    "ClassifiedInfo": _classified,
    "ClassifyAnswer": {"bank": "default@3", "built_in": False, "items": [_classified], "problems": []},
    "Changed": {"changed": 2, "inherited": 3, "undo_id": _UNDO_ID},
    "Undone": {"changed": 5},
    "BankClass": _bank_class,
    "BankInfo": _bank,
    "BankList": {"items": [_bank]},
    "PrototypeInfo": _prototype,
    "PrototypeList": {"items": [_prototype]},
    "MapPoint": _point,
    "MapAnswer": {"items": [_point], "explained": [0.31, 0.12], "recipe": "blend"},
    "LoggedIn": {"status": "ok"},
}


def add_examples(document: dict[str, Any]) -> None:
    """Put every model's example into an OpenAPI document. (FastAPI itself would leave out what is null.)"""
    for name, schema in document["components"]["schemas"].items():
        if name in EXAMPLES:
            schema["examples"] = [EXAMPLES[name]]
