"""Checkpoint file -> the three networks of SAM."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from pickle import UnpicklingError

import torch
from torch import Tensor, nn

from samdb.errors import ConfigError, WeightsError
from samdb.sam.modeling import modeling
from samdb.sam.recipes import BACKBONE_DIMS
from samdb.sam.tiny_vit import TinyViT, fold_batchnorm
from samdb.sam.vit import VIT_SHAPES, Vit

#: side of the square that every image is scaled and padded to, in px
INPUT_SIZE = 1024
#: side of a feature cell, in px of that square
CELL_PX = 16
#: cells along one side
GRID = INPUT_SIZE // CELL_PX


@dataclass(frozen=True, slots=True)
class Networks:
    """The networks of one model, in fp32 and evaluation mode, on the CPU.

    `encoder` maps (B, 3, S, S) to (neck, backbone); the other two are segment-anything's own modules.
    """

    model: str
    encoder: nn.Module
    prompt_encoder: nn.Module
    mask_decoder: nn.Module
    backbone_dim: int


def load_networks(model: str, checkpoint: Path) -> Networks:
    """Build the networks of `model` (`vit_t`, `vit_b`, `vit_l`, `vit_h`) and load the checkpoint.

    Raises WeightsError when the file is not a checkpoint of that model, ConfigError on an unknown model.
    """
    if model not in BACKBONE_DIMS:
        raise ConfigError(f"unknown model {model!r}: choose one of {', '.join(BACKBONE_DIMS)}")
    try:
        state = torch.load(checkpoint, map_location="cpu", weights_only=True)
    except (OSError, RuntimeError, EOFError, ValueError, UnpicklingError) as exc:
        raise WeightsError(
            f"{checkpoint} cannot be read as a checkpoint ({exc}); run: samdb weights pull {model}"
        ) from exc
    networks = build_networks(model)
    try:
        encoder = _below(state, "image_encoder")
        networks.encoder.load_state_dict(fold_batchnorm(encoder) if model == "vit_t" else encoder)
        networks.prompt_encoder.load_state_dict(_below(state, "prompt_encoder"))
        networks.mask_decoder.load_state_dict(_below(state, "mask_decoder"))
    except (RuntimeError, KeyError, AttributeError) as exc:
        first = str(exc).strip().splitlines()[0]
        raise WeightsError(
            f"{checkpoint} does not hold the weights of {model} ({first}); pass the --model it was made for"
        ) from exc
    return networks


def build_networks(model: str) -> Networks:
    """The networks of `model` with random weights (for tests and timing)."""
    encoder: nn.Module = TinyViT() if model == "vit_t" else Vit(VIT_SHAPES[model])
    prompt_encoder, mask_decoder = _standard_heads()
    for network in (encoder, prompt_encoder, mask_decoder):
        network.eval().requires_grad_(False)
    return Networks(model, encoder, prompt_encoder, mask_decoder, BACKBONE_DIMS[model])


def _standard_heads() -> tuple[nn.Module, nn.Module]:
    """Prompt encoder and mask decoder as `segment_anything.build_sam` makes them."""
    prompt_encoder = modeling.PromptEncoder(
        embed_dim=256,
        image_embedding_size=(GRID, GRID),
        input_image_size=(INPUT_SIZE, INPUT_SIZE),
        mask_in_chans=16,
    )
    transformer = modeling.TwoWayTransformer(depth=2, embedding_dim=256, mlp_dim=2048, num_heads=8)
    mask_decoder = modeling.MaskDecoder(
        num_multimask_outputs=3,
        transformer=transformer,
        transformer_dim=256,
        iou_head_depth=3,
        iou_head_hidden_dim=256,
    )
    return prompt_encoder, mask_decoder


def _below(state: Mapping[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {k[len(prefix) + 1 :]: v for k, v in state.items() if k.startswith(prefix + ".")}
