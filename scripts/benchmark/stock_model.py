"""Building the peer: stock SAM's networks with the same weights. Repairs torchvision first where it must."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from samdb import wiring
from samdb.config import load_settings
from scripts.benchmark.official_tiny_vit import build_tiny_vit, fetch_code
from scripts.benchmark.plan import Plan
from scripts.benchmark.torchvision_repair import import_torchvision

if TYPE_CHECKING:
    from scripts.benchmark.stock import StockSegmenter


def prepare_imports() -> None:
    """Import torchvision and segment_anything; to be called before anything of samdb.sam is imported."""
    import_torchvision()
    import segment_anything  # noqa: F401


def load_stock(plan: Plan) -> StockSegmenter:
    """Stock SAM on the plan's device, in fp32 as it comes. Raises FetchError without MobileSAM's code."""
    prepare_imports()
    from scripts.benchmark.stock import StockSegmenter

    sam = _build(plan).to(plan.device)
    fingerprint = wiring.model_fingerprint(load_settings({"model": plan.model}))
    return StockSegmenter(sam, plan.model, fingerprint, plan.points_per_side)


def _build(plan: Plan) -> Any:
    from segment_anything import modeling, sam_model_registry

    if plan.model == "vit_t":
        # the decoder and the frame around it are SAM's in every model: MobileSAM changes the encoder alone
        sam = modeling.Sam(
            image_encoder=build_tiny_vit(fetch_code(Path(plan.cache))),
            prompt_encoder=modeling.PromptEncoder(
                embed_dim=256, image_embedding_size=(64, 64), input_image_size=(1024, 1024), mask_in_chans=16
            ),
            mask_decoder=modeling.MaskDecoder(
                num_multimask_outputs=3,
                transformer=modeling.TwoWayTransformer(depth=2, embedding_dim=256, mlp_dim=2048, num_heads=8),
                transformer_dim=256,
                iou_head_depth=3,
                iou_head_hidden_dim=256,
            ),
            pixel_mean=[123.675, 116.28, 103.53],
            pixel_std=[58.395, 57.12, 57.375],
        )
    else:
        sam = sam_model_registry[plan.model]()
    if plan.checkpoint:
        sam.load_state_dict(torch.load(plan.checkpoint, map_location="cpu", weights_only=True))
    # TinyViT prepares its attention biases when it is told to evaluate: after the weights are in
    return sam.eval()
