"""The floating point operations that a side needs.

samdb's are counted while it works, with the encoder on torch (OpenVINO runs the same network, but torch's
counter does not see it). On the stock side every image and every prompt costs the same, so that its timed
runs need only say how many there were.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from samdb import wiring
from samdb.api import DEFAULT_RECIPES
from samdb.core.prompt import Prompt
from samdb.core.sample import Sample
from samdb.datasets.images import read_image
from samdb.pipelines.cutting import CutSettings, PromptMode, cut_image
from samdb.ports import EncodedImage, Segmenter
from scripts.benchmark import networks
from scripts.benchmark.flops import count_flops
from scripts.benchmark.ours import load_ours
from scripts.benchmark.plan import Flops, Plan

_PROMPTS = 16


def count(plan: Plan) -> Flops:
    """The operations of one side of a benchmark."""
    if plan.benchmark in ("encoder", "decoder"):
        return _unit(plan)
    pixels, _ = next(_images(plan))
    if plan.side == "stock":
        from scripts.benchmark.stock_model import load_stock

        stock = load_stock(plan)
        stock.sam.requires_grad_(False)  # the counter follows gradients else, where there are none
        image = stock.encode(pixels)
        encoder = count_flops(lambda: stock.ensure_encoded(image))
        return Flops(encoder, _prompt(stock, image), None)
    segmenter = load_ours(plan, runtime="torch")
    encoder = count_flops(lambda: segmenter.encode(pixels))
    prompt = _prompt(segmenter, segmenter.encode(pixels))
    whole = [count_flops(lambda i=each: _work(plan, segmenter, *i)) for each in _images(plan)]  # type: ignore[misc]
    return Flops(encoder, prompt, sum(whole) / len(whole))


def _unit(plan: Plan) -> Flops:
    """Of one image of the encoder, or one prompt of the decoder."""
    if plan.side == "stock":
        from scripts.benchmark.stock_model import load_stock

        prepare = networks.stock(plan, load_stock(plan).sam.requires_grad_(False))
    else:
        prepare, _ = networks.ours(plan, runtime="torch")
    size = 1 if plan.benchmark == "encoder" else _PROMPTS
    each = count_flops(prepare(size)) / size
    return Flops(each, 0.0, each) if plan.benchmark == "encoder" else Flops(0.0, each, each)


def _prompt(segmenter: Segmenter, image: EncodedImage) -> float:
    """Of one box, asked with others."""
    height, width = image.size_hw
    box = (width * 0.25, height * 0.25, width * 0.75, height * 0.75)
    return count_flops(lambda: segmenter.prompt(image, [Prompt(box_xyxy=box)] * _PROMPTS)) / _PROMPTS


def _work(plan: Plan, segmenter: Segmenter, pixels: NDArray[np.uint8], sample: Sample) -> object:
    image = segmenter.encode(pixels)
    if plan.benchmark == "auto":
        return segmenter.automatic(image)
    mode: PromptMode = "labels" if plan.benchmark == "ingest" else "auto"
    return cut_image(segmenter, image, sample, CutSettings(mode, DEFAULT_RECIPES), run="flops")


def _images(plan: Plan) -> Iterator[tuple[NDArray[np.uint8], Sample]]:
    """The timed images; of `ingest` those after the first, which only warms up."""
    if plan.benchmark == "ingest":
        samples = wiring.open_dataset(Path(plan.data)).samples(plan.split or None)
        for sample in islice(samples, 1, 1 + plan.limit):
            yield read_image(sample.path), sample
        return
    for path in map(Path, plan.images):
        yield read_image(path), Sample(path.parent.name, "", path.name, path)
