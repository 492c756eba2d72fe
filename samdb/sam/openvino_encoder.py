"""The encoder on a CPU through OpenVINO.

Why it is what `auto` takes on a CPU, seconds per 1024 px image on two cores with AMX (TinyViT: wall clock,
median of 8; ViT-B: CPU seconds / 2 beside other programs, median of 3; the allocator set as in `device`):

| | TinyViT | ViT-B |
|---|---|---|
| torch fp32, the reference's code and layout | .49 | 7.2 |
| torch fp32 / bf16 | .40 / .18 | 4.9 / 2.3 |
| OpenVINO fp32 / bf16 | .34 / .14 | 4.1 / 1.4 |

In bf16 both are equally far from fp32 (`tests/sam/test_runtimes_golden.py`). Reading an export and compiling
it takes 0.4 s more than torch alone; OpenVINO's own cache of compiled models would save 0.25 s of them for
28 MB, and is left out.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from samdb.sam.device import Precision
from samdb.sam.encoder import Features
from samdb.sam.networks import INPUT_SIZE
from samdb.sam.openvino_export import import_openvino

if TYPE_CHECKING:
    import openvino

#: small inputs are run so many at once (crops: 13 ms each instead of 17), any others one by one
_BATCH = 8
_HINTS: dict[Precision, str] = {"fp32": "f32", "bf16": "bf16"}


class OpenVinoEncoder:
    """OpenVINO on the CPU; `model` as `samdb.sam.openvino_export.export` makes it.

    The model is compiled (half a second) for the full square at once, and for each other shape of input when
    it first comes. Safe to call from several threads: one at a time is served.
    """

    def __init__(self, model: openvino.Model, precision: Precision) -> None:
        self.name = f"openvino-{precision}"
        self._model = model
        self._precision = precision
        self._core = import_openvino().Core()
        self._requests: dict[tuple[int, ...], Any] = {}
        self._lock = threading.Lock()
        self._request((1, 3, INPUT_SIZE, INPUT_SIZE))

    def __call__(self, inputs: Sequence[Tensor]) -> Features:
        """Encode network inputs, each (1, 3, S, S) float32, all of one size."""
        with self._lock:
            parts = [self._run(batch) for batch in _batches(inputs)]
        if len(parts) == 1:
            return parts[0]
        return Features(torch.cat([p.neck for p in parts]), torch.cat([p.backbone for p in parts]))

    def _run(self, batch: Tensor) -> Features:
        request = self._request(tuple(batch.shape))
        ov = import_openvino()
        request.set_input_tensor(ov.Tensor(batch.numpy(), shared_memory=True))
        outputs = []
        for i, port in enumerate(request.model_outputs):
            # written straight into memory of its own: the request's is overwritten by the next image
            out = torch.empty(tuple(port.shape), dtype=torch.float32)
            request.set_output_tensor(i, ov.Tensor(out.numpy(), shared_memory=True))
            outputs.append(out.permute(0, 3, 1, 2))
        request.infer()
        return Features(outputs[0], outputs[1])

    def _request(self, shape: tuple[int, ...]) -> Any:
        """What runs inputs of that shape, compiled at the first of them."""
        if shape not in self._requests:
            model = self._model.clone()  # shares the weights
            model.reshape(list(shape))
            compiled = self._core.compile_model(model, "CPU", self._settings())
            self._requests[shape] = compiled.create_infer_request()
        return self._requests[shape]

    def _settings(self) -> dict[str, str | int | bool]:
        return {
            "INFERENCE_PRECISION_HINT": _HINTS[self._precision],
            "NUM_STREAMS": 1,  # one image at a time, on all cores
            # at most what torch may use, so that one setting (OMP_NUM_THREADS) rules both
            "INFERENCE_NUM_THREADS": torch.get_num_threads(),
            # pinned threads wait for their core when another program has it: 20 % slower beside one
            "ENABLE_CPU_PINNING": False,
        }


def _batches(inputs: Sequence[Tensor]) -> list[Tensor]:
    """The inputs as (B, 3, S, S): full batches of small ones, else one by one."""
    tensors = [x.detach().to(device="cpu", dtype=torch.float32).contiguous() for x in inputs]
    batches: list[Tensor] = []
    start = 0
    while start < len(tensors):
        small = tensors[start].shape[-1] < INPUT_SIZE and len(tensors) - start >= _BATCH
        n = _BATCH if small else 1
        batches.append(torch.cat(tensors[start : start + n]))
        start += n
    return batches
