"""SAM's mask decoder for many prompts on one image.

All prompts of an image share its 4096 image tokens. The stock decoder copies them per prompt and projects
the copies again and again; here

* layer 0 projects the image tokens once per image, whatever the number of prompts;
* in layer 1 and in the final attention, where the image tokens differ per prompt, the 4096 x 256 x 128
  projections are folded into the few prompt tokens: `q . (Wk k) = (Wk' q) . k` and
  `a @ (V Wv') = (a @ V) Wv'`; the bias of k adds the same to every key and cancels in the softmax;
* what is as large as the image tokens, (P, 4096, 256), is written as rarely as can be: positions are added
  to scores, not to tokens, and the image tokens are updated in place by the product that changes them;
* the softmax over the few prompt tokens runs down columns of 4096, which vectorises, where the stock one
  runs along rows of 7 (21 ms against 1.3 ms for 16 prompts);
* the quality head, which needs no mask, comes first, so that hopeless outputs are never upscaled.

The result is that of `segment_anything.modeling.MaskDecoder` up to rounding (tests/sam/test_decoder.py).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from samdb.sam.device import Compute
from samdb.sam.networks import Networks
from samdb.sam.upscaling import Upscaling

#: tokens before the prompt's own: one for quality, four for masks
_N_OUTPUT_TOKENS = 5
N_OUTPUTS = 4


@dataclass(frozen=True, slots=True)
class ImageTokens:
    """What all prompts of an image share: its N = rows x columns tokens, row by row (`grid_hw`).

    `keys` (1, N, 256) image embedding plus "no mask", `positions` (1, N, 256); then layer 0's projections of
    them: `k0`, `v0` (1, 8, N, 16) for token-to-image, `q0` likewise for image-to-token. With mask prompts
    all but `positions` are (P, ...).
    """

    grid_hw: tuple[int, int]
    keys: Tensor
    positions: Tensor
    k0: Tensor
    v0: Tensor
    q0: Tensor


@dataclass(frozen=True, slots=True)
class Attended:
    """The decoder's state before masks are drawn: `tokens` (P, 4, 256) float32, `predicted_iou` (P, 4)
    float32, `keys` (P, N, 256) image tokens as each prompt sees them, `grid_hw` their rows and columns.
    """

    tokens: Tensor
    predicted_iou: Tensor
    keys: Tensor
    grid_hw: tuple[int, int]


class Decoder:
    """Prompts to mask tokens, predicted quality and low-resolution logits.

    Token arithmetic stays in float32; what touches the image tokens runs in `compute.dtype`.
    """

    def __init__(self, networks: Networks, compute: Compute) -> None:
        self._compute = compute
        # segment-anything is untyped: its modules are Any here
        prompt_encoder: Any = networks.prompt_encoder
        mask_decoder: Any = networks.mask_decoder
        self._prompts = prompt_encoder.to(compute.device)
        self._head = mask_decoder.to(compute.device)
        transformer: Any = self._head.transformer
        self._layers: tuple[Any, Any] = (transformer.layers[0], transformer.layers[1])
        self._upscaling = Upscaling(self._head.output_upscaling, compute.dtype)
        self._norms: tuple[Any, ...] = tuple(layer.norm4.to(compute.dtype) for layer in self._layers)
        self._positions = _as_tokens(self._prompts.get_dense_pe()).to(compute.dtype)

    def share(self, neck: Tensor, dense: Tensor | None = None) -> ImageTokens:
        """Prepare the image tokens of an embedding (1, 256, 64, 64).

        `dense` (P, 256, 64, 64) are the embeddings of mask prompts; without them "no mask" is used, and all
        prompts share one set of tokens. Padding stays among them: SAM was trained with it, and without it
        automatic masks of 16:9 frames lose 3.4 points of recall (README, "Automatic masks").
        """
        if dense is None:
            dense = self._prompts.no_mask_embed.weight.reshape(1, -1, 1, 1)
        keys = _as_tokens(neck.float() + dense).to(self._compute.dtype)
        with_positions = keys + self._positions
        first = self._layers[0]
        to_image, to_token = first.cross_attn_token_to_image, first.cross_attn_image_to_token
        return ImageTokens(
            grid_hw=(neck.shape[2], neck.shape[3]),
            keys=keys,
            positions=self._positions,
            k0=_heads(_linear(with_positions, to_image.k_proj), to_image.num_heads),
            v0=_heads(_linear(keys, to_image.v_proj), to_image.num_heads),
            q0=_heads(_linear(with_positions, to_token.q_proj), to_token.num_heads),
        )

    def point_embeddings(self, points_xy: Tensor, foreground: Tensor) -> Tensor:
        """Sparse embeddings (P, N + 1, 256) of N points per prompt: px of the input square (P, N, 2), marks
        (P, N) 1 on the object, 0 on what to leave out. One padding point is added, as SAM was trained.
        """
        device = self._compute.device
        points = (points_xy.to(device), foreground.to(device))
        sparse: Tensor = self._prompts(points=points, boxes=None, masks=None)[0]
        return sparse

    def box_embeddings(
        self, boxes_xyxy: Tensor, points_xy: Tensor | None, foreground: Tensor | None
    ) -> Tensor:
        """Sparse embeddings of boxes (P, 4) in px of the input square, optionally with N points each."""
        device = self._compute.device
        points = None
        if points_xy is not None and foreground is not None:
            points = (points_xy.to(device), foreground.to(device))
        sparse: Tensor = self._prompts(points=points, boxes=boxes_xyxy.to(device), masks=None)[0]
        return sparse

    def mask_embeddings(self, low_res_logits: Tensor) -> Tensor:
        """Dense embeddings (P, 256, 64, 64) of mask prompts (P, 1, 256, 256) in logits."""
        dense: Tensor = self._prompts.mask_downscaling(low_res_logits.to(self._compute.device))
        return dense

    def attend(self, image: ImageTokens, sparse: Tensor) -> Attended:
        """Run the two-way transformer for prompts with embeddings `sparse` (P, T, 256) float32."""
        head = self._head
        output_tokens = torch.cat([head.iou_token.weight, head.mask_tokens.weight])
        tokens = torch.cat([output_tokens.expand(len(sparse), -1, -1), sparse], dim=1)

        queries, keys = self._first_layer(tokens, image)
        queries, keys = self._second_layer(queries, tokens, keys, image.positions)
        attended = self._read_image(
            self._head.transformer.final_attn_token_to_image, queries + tokens, keys, image.positions
        )
        queries = self._head.transformer.norm_final_attn(queries + attended)

        quality: Tensor = head.iou_prediction_head(queries[:, 0])
        return Attended(queries[:, 1:_N_OUTPUT_TOKENS], quality, keys, image.grid_hw)

    def draw(self, state: Attended, outputs: Tensor, grid_hw: tuple[int, int] | None = None) -> Tensor:
        """Low-resolution logits (N, 4 x rows, 4 x columns) of the chosen `outputs` (P, 4) bool, in row-major
        order.

        Prompts without a chosen output are not upscaled, nor are cells beyond the first rows and columns of
        `grid_hw`: padding costs nothing.
        """
        (height, width), (rows, columns) = state.grid_hw, grid_hw or state.grid_hw
        rows, columns = min(rows, height), min(columns, width)
        asking = outputs.any(dim=1).nonzero()[:, 0]
        if len(asking) == 0:
            return state.tokens.new_zeros((0, 4 * rows, 4 * columns), dtype=self._compute.dtype)
        mlps = self._head.output_hypernetworks_mlps
        weights = torch.stack([mlp(state.tokens[asking, i]) for i, mlp in enumerate(mlps)], dim=1)
        keys = state.keys.view(-1, height, width, state.keys.shape[-1])
        every = asking.tolist() == list(range(len(keys)))
        cells = (keys if every else keys[asking])[:, :rows, :columns]
        return self._upscaling(cells, weights, outputs[asking])

    def _first_layer(self, tokens: Tensor, image: ImageTokens) -> tuple[Tensor, Tensor]:
        layer = self._layers[0]
        queries = layer.norm1(layer.self_attn(q=tokens, k=tokens, v=tokens))
        to_image = layer.cross_attn_token_to_image
        q = _heads(to_image.q_proj(queries + tokens), to_image.num_heads).to(image.keys.dtype)
        attended = F.scaled_dot_product_attention(
            q, image.k0.expand(len(q), -1, -1, -1), image.v0.expand(len(q), -1, -1, -1)
        )
        queries = layer.norm2(queries + to_image.out_proj(_merge(attended).float()))
        queries = layer.norm3(queries + layer.mlp(queries))

        to_token = layer.cross_attn_image_to_token
        k = _heads(to_token.k_proj(queries + tokens), to_token.num_heads)
        k = (k * k.shape[-1] ** -0.5).to(image.keys.dtype)
        shares = _shared_product(k, image.q0).softmax(dim=2)
        written = self._written(0, queries)
        keys = torch.baddbmm(image.keys.expand(len(k), -1, -1), shares.flatten(1, 2).transpose(1, 2), written)
        return queries, self._norms[0](keys)

    def _second_layer(
        self, queries: Tensor, tokens: Tensor, keys: Tensor, positions: Tensor
    ) -> tuple[Tensor, Tensor]:
        layer = self._layers[1]
        q = queries + tokens
        queries = layer.norm1(queries + layer.self_attn(q=q, k=q, v=queries))
        to_image = layer.cross_attn_token_to_image
        queries = layer.norm2(queries + self._read_image(to_image, queries + tokens, keys, positions))
        queries = layer.norm3(queries + layer.mlp(queries))

        to_token = layer.cross_attn_image_to_token
        heads: int = to_token.num_heads
        k = _heads(to_token.k_proj(queries + tokens), heads)
        k = k * k.shape[-1] ** -0.5
        folded, bias = _fold(k, to_token.q_proj.weight), k @ to_token.q_proj.bias.view(heads, -1, 1)
        scores = _scores(folded, keys, positions, bias.reshape(len(k), -1, 1))
        shares = scores.view(len(k), heads, -1, keys.shape[1]).softmax(dim=2)
        # in place: a copy of the image tokens costs as much as the product
        keys = keys.baddbmm_(shares.flatten(1, 2).transpose(1, 2), self._written(1, queries))
        return queries, self._norms[1](keys)

    def _read_image(self, attention: Any, q: Tensor, keys: Tensor, positions: Tensor) -> Tensor:
        """Token-to-image attention with both projections of the image folded into the tokens."""
        heads: int = attention.num_heads
        q = _heads(attention.q_proj(q), heads)
        q = q * q.shape[-1] ** -0.5
        scores = _scores(_fold(q, attention.k_proj.weight), keys, positions)
        mixed = (scores.softmax(dim=-1) @ keys).view(*q.shape[:3], -1).float()
        weight = attention.v_proj.weight.view(heads, -1, mixed.shape[-1])
        values = mixed @ weight.transpose(1, 2)
        out: Tensor = attention.out_proj(_merge(values) + attention.v_proj.bias)
        return out

    def _written(self, index: int, queries: Tensor) -> Tensor:
        """What each token of each head adds to an image token that attends to it alone (P, heads x T, 256).

        The output bias is in it: a head's shares add up to 1, so each head brings its part of the bias.
        """
        to_token = self._layers[index].cross_attn_image_to_token
        heads: int = to_token.num_heads
        values = _heads(to_token.v_proj(queries), heads)
        weight = to_token.out_proj.weight.t().reshape(heads, values.shape[-1], -1)
        written: Tensor = values @ weight + to_token.out_proj.bias / heads
        return written.flatten(1, 2).to(self._compute.dtype)


def _as_tokens(grid: Tensor) -> Tensor:
    """(B, C, H, W) -> (B, H x W, C)."""
    return grid.flatten(2).transpose(1, 2).contiguous()


def _linear(x: Tensor, layer: nn.Linear) -> Tensor:
    return F.linear(x, layer.weight.to(x.dtype), layer.bias.to(x.dtype))


def _heads(x: Tensor, n: int) -> Tensor:
    """(B, T, n x d) -> (B, n, T, d)."""
    b, t, c = x.shape
    return x.view(b, t, n, c // n).transpose(1, 2)


def _merge(x: Tensor) -> Tensor:
    """(B, n, T, d) -> (B, T, n x d)."""
    return x.transpose(1, 2).flatten(2)


def _fold(q: Tensor, weight: Tensor) -> Tensor:
    """Queries (P, n, T, d) through the transposed key projection (n x d, C) -> (P, n x T, C)."""
    per_head = weight.view(q.shape[1], q.shape[3], -1)
    return (q @ per_head).flatten(1, 2)


def _scores(folded: Tensor, keys: Tensor, positions: Tensor, bias: Tensor | None = None) -> Tensor:
    """Folded queries (P, M, C) against image tokens plus positions -> (P, M, N); `bias` (P, M, 1)."""
    folded = folded.to(keys.dtype)
    # one plain product, all prompts at once: every prompt has the same positions
    of_positions = (folded.flatten(0, 1) @ positions[0].t()).view(*folded.shape[:2], -1)
    if bias is not None:
        of_positions += bias.to(keys.dtype)
    return of_positions.baddbmm_(folded, keys.transpose(1, 2))


def _shared_product(k: Tensor, q0: Tensor) -> Tensor:
    """Prompt tokens (P, n, T, d) against image tokens (1 or P, n, N, d) -> (P, n, T, N)."""
    if len(q0) > 1:
        return k @ q0.transpose(2, 3)
    p, heads, t, d = k.shape
    flat = k.transpose(0, 1).reshape(heads, p * t, d) @ q0[0].transpose(1, 2)
    return flat.view(heads, p, t, -1).transpose(0, 1)
