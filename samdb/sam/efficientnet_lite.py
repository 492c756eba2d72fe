"""EfficientNet-Lite2, trained to tell the thousand classes of ImageNet: a look at a crop that knows names.

SAM was never told what anything is called, so its features lie by shape and texture (README, "Recipes").

Source: Tan and Le, "EfficientNet" (2019); the "lite" variant of the authors' code: no squeeze-and-excitation,
ReLU6 for swish, stem, head, first and last stage as narrow and short as those of the smallest. Modules are
named as in the published state dict.
"""

from __future__ import annotations

from pathlib import Path
from pickle import UnpicklingError

import torch
from torch import Tensor, nn
from torch.nn.functional import pad
from torch.nn.utils.fusion import fuse_conv_bn_eval

from samdb.errors import WeightsError

#: side in px of the input, and how many numbers `forward` gives for it
SIDE_PX, DIM = 260, 1280
_STEM = 32
# of each stage: blocks, kernel, stride of the first block, expansion, width (Lite0's times 1.1, in eights)
_STAGES = (
    (1, 3, 1, 1, 16),
    (3, 3, 2, 6, 24),
    (3, 5, 2, 6, 48),
    (4, 3, 2, 6, 88),
    (4, 5, 1, 6, 120),
    (5, 5, 2, 6, 208),
    (1, 3, 1, 6, 352),
)
# the batch norm behind each convolution, in the network and in its blocks
_NORM_OF = {
    "_conv_stem": "_bn0",
    "_conv_head": "_bn1",
    "_expand_conv": "_bn0",
    "_depthwise_conv": "_bn1",
    "_project_conv": "_bn2",
}
# the weights come from TensorFlow, whose batch norms add this
_EPSILON = 1e-3


class EfficientNetLite2(nn.Module):
    """(B, 3, S, S) RGB, (x - 127) / 128 -> the mean over the picture (B, 1280) of the last features."""

    def __init__(self) -> None:
        super().__init__()
        self._conv_stem = _SameConv(3, _STEM, 3, stride=2)
        self._bn0 = _norm(_STEM)
        blocks: list[_Block] = []
        width = _STEM
        for n, kernel, stride, expansion, wider in _STAGES:
            for i in range(n):
                blocks.append(_Block(width, wider, kernel, stride if i == 0 else 1, expansion))
                width = wider
        self._blocks = nn.ModuleList(blocks)
        self._conv_head = _SameConv(width, DIM, 1)
        self._bn1 = _norm(DIM)
        self._act = nn.ReLU6()

    def forward(self, x: Tensor) -> Tensor:
        """See the class."""
        x = self._act(self._bn0(self._conv_stem(x)))
        for block in self._blocks:
            x = block(x)
        mean: Tensor = self._act(self._bn1(self._conv_head(x))).mean(dim=(2, 3))
        return mean


class _SameConv(nn.Conv2d):
    """A convolution padded as TensorFlow's "same": what is odd goes to the right and the bottom."""

    def __init__(self, narrow: int, wide: int, kernel: int, stride: int = 1, groups: int = 1) -> None:
        super().__init__(narrow, wide, kernel, stride, groups=groups, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        kernel, stride = self.kernel_size[0], self.stride[0]
        if kernel == 1:
            return super().forward(x)
        rows, columns = (max(kernel - (size % stride or stride), 0) for size in x.shape[-2:])
        before = columns // 2, columns - columns // 2, rows // 2, rows - rows // 2
        return super().forward(pad(x, before))


class _Block(nn.Module):
    """Widen, filter each channel by itself, narrow; added to the input where the shapes allow it."""

    def __init__(self, narrow: int, out: int, kernel: int, stride: int, expansion: int) -> None:
        super().__init__()
        wide = narrow * expansion
        self._expand_conv = _SameConv(narrow, wide, 1) if expansion > 1 else None
        self._bn0 = _norm(wide) if expansion > 1 else None
        self._depthwise_conv = _SameConv(wide, wide, kernel, stride, groups=wide)
        self._bn1 = _norm(wide)
        self._project_conv = _SameConv(wide, out, 1)
        self._bn2 = _norm(out)
        self._act = nn.ReLU6()
        self._adds = stride == 1 and narrow == out

    def forward(self, x: Tensor) -> Tensor:
        y = x
        if self._expand_conv is not None and self._bn0 is not None:
            y = self._act(self._bn0(self._expand_conv(y)))
        y = self._act(self._bn1(self._depthwise_conv(y)))
        narrowed: Tensor = self._bn2(self._project_conv(y))
        return narrowed + x if self._adds else narrowed


def load_efficientnet(checkpoint: Path) -> nn.Module:
    """The network with the published weights, in fp32 and evaluation mode, its batch norms folded away.

    Raises WeightsError when the file does not hold them.
    """
    network = EfficientNetLite2()
    try:
        state = torch.load(checkpoint, map_location="cpu", weights_only=True)
        # the classifier of ImageNet's classes itself is of no use here
        network.load_state_dict({k: v for k, v in state.items() if not k.startswith("_fc.")})
    except (OSError, RuntimeError, EOFError, ValueError, AttributeError, UnpicklingError) as exc:
        raise WeightsError(
            f"{checkpoint} does not hold EfficientNet-Lite2 ({str(exc).strip().splitlines()[0]}): delete it "
            "and run `samdb weights pull efficientnet_lite2`"
        ) from exc
    return fold_norms(network.eval().requires_grad_(False))


def fold_norms(network: nn.Module) -> nn.Module:
    """The network, in evaluation mode, with every batch norm folded into the convolution before it."""
    for module in network.modules():
        for conv_name, norm_name in _NORM_OF.items():
            conv, norm = getattr(module, conv_name, None), getattr(module, norm_name, None)
            if isinstance(conv, nn.Conv2d) and isinstance(norm, nn.BatchNorm2d):
                setattr(module, conv_name, fuse_conv_bn_eval(conv, norm))
                setattr(module, norm_name, nn.Identity())
    return network


def _norm(width: int) -> nn.BatchNorm2d:
    return nn.BatchNorm2d(width, eps=_EPSILON)
