"""The timed work of `encoder` and `decoder`: the networks alone, without images, drawing or a store.

Both sides are given the same normalised input square and the same image embedding; random weights do here,
which they would not where masks are drawn (noise has endless outlines).
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import torch

from scripts.benchmark.ours import load_networks
from scripts.benchmark.plan import Plan

#: prepares a batch of this size; the work that is returned is timed
Prepare = Callable[[int], Callable[[], object]]


def ours(plan: Plan, runtime: str = "") -> tuple[Prepare, str]:
    """samdb's encoder, or its decoder down to the logits of all four masks; and the runtime's name."""
    networks, compute, encoder = load_networks(plan, runtime)
    if plan.benchmark == "encoder":
        return lambda size: _inference(partial(encoder, [_square(1)] * size)), encoder.name

    from samdb.sam.decoder import Decoder

    decoder = Decoder(networks, compute)
    with torch.inference_mode():
        tokens = decoder.share(_embedding().to(compute.device))
        every = torch.ones(1, 4, dtype=torch.bool, device=compute.device)

    def prepare(size: int) -> Callable[[], object]:
        points, marks = _points(size), torch.ones(size, 1)

        def work() -> object:
            state = decoder.attend(tokens, decoder.point_embeddings(points, marks))
            return decoder.draw(state, every.expand(size, -1))

        return _inference(work)

    return prepare, f"torch-{compute.precision}"


def stock(plan: Plan, sam: Any) -> Prepare:
    """The stock encoder, or the stock prompt encoder and mask decoder down to the logits."""
    if plan.benchmark == "encoder":
        return lambda size: _no_grad(partial(sam.image_encoder, _square(size).to(plan.device)))
    embedding = _embedding().to(plan.device)

    def prepare(size: int) -> Callable[[], object]:
        points = _points(size).to(plan.device), torch.ones(size, 1, device=plan.device)

        def work() -> object:
            sparse, dense = sam.prompt_encoder(points=points, boxes=None, masks=None)
            return sam.mask_decoder(
                image_embeddings=embedding,
                image_pe=sam.prompt_encoder.get_dense_pe(),
                sparse_prompt_embeddings=sparse,
                dense_prompt_embeddings=dense,
                multimask_output=True,
            )

        return _no_grad(work)

    return prepare


def _square(size: int) -> torch.Tensor:
    return torch.rand(size, 3, 1024, 1024, generator=torch.Generator().manual_seed(0)) * 4 - 2


def _embedding() -> torch.Tensor:
    return torch.randn(1, 256, 64, 64, generator=torch.Generator().manual_seed(0)) * 0.1


def _points(size: int) -> torch.Tensor:
    return torch.rand(size, 1, 2, generator=torch.Generator().manual_seed(1)) * 1024


def _inference(work: Callable[[], object]) -> Callable[[], object]:
    def run() -> object:
        with torch.inference_mode():
            return work()

    return run


def _no_grad(work: Callable[[], object]) -> Callable[[], object]:
    """As the stock predictor runs its networks."""

    def run() -> object:
        with torch.no_grad():
            return work()

    return run
