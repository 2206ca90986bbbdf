"""Tiny pictures and videos of a single colour, made here, and a network that sees nothing but colours."""

from __future__ import annotations

import atexit
import shutil
import tempfile
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import av
import numpy as np
import pyarrow as pa
from onnx import TensorProto, helper, numpy_helper
from PIL import Image

from graphrec.contracts.recall_data import RecallData
from graphrec.data.features import Features

Colour = tuple[int, int, int]
COLOURS: dict[str, Colour] = {"red": (230, 20, 20), "blue": (20, 20, 230), "green": (20, 230, 20)}


@cache
def folder() -> Path:
    """Return a folder of pictures and videos, one a colour, and of the network; it goes with the process."""
    made = Path(tempfile.mkdtemp(prefix="media-of-tests-"))
    atexit.register(shutil.rmtree, made, ignore_errors=True)
    for name, colour in COLOURS.items():
        Image.new("RGB", (40, 30), colour).save(made / f"{name}.png")
        write_video(made / f"{name}.mp4", [colour] * 4)
    (made / "colours.onnx").write_bytes(colour_network())
    return made


def write_video(path: Path, colours: list[Colour]) -> None:
    """Write a video of one frame a colour, four a second."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mpeg4", rate=4)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        for colour in colours:
            pixels = np.broadcast_to(np.array(colour, dtype=np.uint8), (48, 64, 3))
            container.mux(stream.encode(av.VideoFrame.from_ndarray(np.ascontiguousarray(pixels), format="rgb24")))
        container.mux(stream.encode())


def colour_network() -> bytes:
    """Return an ONNX graph whose vector of a picture is its mean colour."""
    given = helper.make_tensor_value_info("pictures", TensorProto.UINT8, ["n", 224, 224, 3])
    made = helper.make_tensor_value_info("vector", TensorProto.FLOAT, ["n", 3])
    nodes = [
        helper.make_node("Cast", ["pictures"], ["numbers"], to=TensorProto.FLOAT),
        helper.make_node("ReduceMean", ["numbers", "axes"], ["vector"], keepdims=0),
    ]
    axes = numpy_helper.from_array(np.array([1, 2], dtype=np.int64), "axes")
    graph = helper.make_graph(nodes, "colours", [given], [made], [axes])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
    return bytes(model.SerializeToString())


def colours_of(recipe: type[Any], **settings: Any) -> Any:
    """Return a recipe of pictures or videos over the folder, by the network of colours."""
    return recipe(folder=str(folder()), model=str(folder() / "colours.onnx"), **settings)


def shown(data: RecallData, column: str, paths: list[str | None]) -> RecallData:
    """Return the data whose first items have these paths, the others none."""
    texts = pa.array([*paths, *[None] * (len(data.items) - len(paths))], pa.large_string())
    features = data.item_features or Features(len(data.items))
    return replace(data, item_features=replace(features, texts={column: texts}))


def coloured(data: RecallData) -> RecallData:
    """Return the data whose items of one parity have a red picture, those of the other a blue one."""
    return shown(data, "image", [("red.png", "blue.png")[row % 2] for row in range(len(data.items))])


def filmed(data: RecallData) -> RecallData:
    """Return the data whose items of one parity have a red video, those of the other a blue one."""
    return shown(data, "video", [("red.mp4", "blue.mp4")[row % 2] for row in range(len(data.items))])
