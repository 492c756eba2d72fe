"""Between an image's pixels and SAM's 1024-px input square: scaling, padding, prompt coordinates."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from samdb.sam.networks import CELL_PX, INPUT_SIZE

# ImageNet statistics on 0..255, as in segment_anything.build_sam
_PIXEL_MEAN = (123.675, 116.28, 103.53)
_PIXEL_STD = (58.395, 57.12, 57.375)
_LOW_RES = INPUT_SIZE // 4


@dataclass(frozen=True, slots=True)
class Frame:
    """How one image of `size_hw` lies in the input square: its longest side fills `square` px, the rest is
    padding below or to the right. Source: segment_anything.utils.transforms.ResizeLongestSide.
    """

    size_hw: tuple[int, int]
    square: int = INPUT_SIZE

    @property
    def input_hw(self) -> tuple[int, int]:
        """The image's (height, width) inside the square, in px; at least 1, however thin the image is."""
        scale = self.square / max(self.size_hw)
        height, width = (max(1, int(v * scale + 0.5)) for v in self.size_hw)
        return height, width

    @property
    def cells_hw(self) -> tuple[int, int]:
        """Rows and columns of the feature grid that the image's logits are made of; the rest is padding.

        One cell more than the image covers: the bilinear steps reach across its edge.
        """
        grid = self.square // CELL_PX
        rows, columns = (min(grid, -(-v // CELL_PX) + 1) for v in self.input_hw)
        return rows, columns

    def to_input(self, points_xy: NDArray[np.floating]) -> NDArray[np.float32]:
        """Points (..., 2) in image px -> px of the square."""
        (h, w), (ih, iw) = self.size_hw, self.input_hw
        scale = np.array([iw / w, ih / h], dtype=np.float64)
        return np.asarray(np.asarray(points_xy, dtype=np.float64) * scale, dtype=np.float32)

    def scaled(self, image: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """RGB (H, W, 3) at the size that it has in the square."""
        height, width = self.input_hw
        return np.array(Image.fromarray(image).resize((width, height), Image.Resampling.BILINEAR))

    def padded(self, scaled: NDArray[np.uint8], device: str = "cpu") -> Tensor:
        """What `scaled` gives -> normalised, padded network input (1, 3, square, square) float32.

        A fifth of the time of normalising first and padding then (2.5 ms against 13 on one core): the square
        is written once. A GPU is sent bytes, not floats.
        """
        height, width = self.input_hw
        square = torch.zeros(1, 3, self.square, self.square, device=device)
        inside = square[0, :, :height, :width]
        inside.copy_(torch.from_numpy(scaled).to(device).permute(2, 0, 1))
        mean, std = (torch.tensor(v, device=device)[:, None, None] for v in (_PIXEL_MEAN, _PIXEL_STD))
        inside.sub_(mean).div_(std)
        return square

    def tensor(self, image: NDArray[np.uint8]) -> Tensor:
        """RGB (H, W, 3) -> normalised, padded network input (1, 3, square, square) float32."""
        return self.padded(self.scaled(image))

    def upscale(self, low_res: Tensor, floor: float) -> tuple[Tensor, tuple[int, int]]:
        """Low-resolution logits (256, 256), or the first rows and columns of them that `cells_hw` asks for,
        -> the image's logits where any can exceed `floor`.

        Returns (logits (h, w) float32, (y0, x0) of that window in the image); (0, 0)-sized when there are
        none. The stock predictor interpolates twice, 256 -> 1024 -> image; both steps are linear and
        separable, so here they are one product with two small matrices, and a window is cheap. An output is
        a convex mix of its inputs, so nothing outside the window exceeds the floor. Equal to stock up to
        rounding.
        """
        down, across = _resize_matrix(self, 0, low_res.device), _resize_matrix(self, 1, low_res.device)
        down, across = down[:, : low_res.shape[0]], across[:, : low_res.shape[1]]
        above = low_res > floor
        rows, cols = above.any(dim=1).nonzero(), above.any(dim=0).nonzero()
        if len(rows) == 0:
            return low_res.new_zeros((0, 0), dtype=torch.float32), (0, 0)
        r0, r1, y0, y1 = _reach(down, int(rows[0]), int(rows[-1]) + 1)
        c0, c1, x0, x1 = _reach(across, int(cols[0]), int(cols[-1]) + 1)
        logits = down[y0:y1, r0:r1] @ low_res[r0:r1, c0:c1].float() @ across[x0:x1, c0:c1].t()
        return logits, (y0, x0)


@lru_cache(maxsize=64)
def _resize_matrix(frame: Frame, axis: int, device: torch.device) -> Tensor:
    """The matrix (image px, 256) that does both of the predictor's interpolation steps along one axis."""
    identity = torch.eye(_LOW_RES, device=device)[None, None]
    square = F.interpolate(identity, (frame.square, _LOW_RES), mode="bilinear", align_corners=False)
    square = square[:, :, : frame.input_hw[axis]]
    return F.interpolate(square, (frame.size_hw[axis], _LOW_RES), mode="bilinear", align_corners=False)[0, 0]


def _reach(matrix: Tensor, first: int, last: int) -> tuple[int, int, int, int]:
    """Output rows that inputs [first, last) reach, and the inputs those rows read: (in0, in1, out0, out1)."""
    outputs = matrix[:, first:last].any(dim=1).nonzero()
    if len(outputs) == 0:  # only padding is above the floor
        return 0, 0, 0, 0
    out0, out1 = int(outputs[0]), int(outputs[-1]) + 1
    inputs = matrix[out0:out1].any(dim=0).nonzero()
    return int(inputs[0]), int(inputs[-1]) + 1, out0, out1
