"""Pictures found by sentences: a drawn catalogue, a fifth of whose pictures has no title while the space is learnt.

576 pictures of a shape, a colour, a ground, a size and a place (seed 3), each with a title that says the first four.
A fifth loses its titles; ``image`` with ``captions`` learns of the others. The lost titles are then searched among all
pictures: Recall@10 of their own picture, and the share of the first 10 that has the shape, the colour and the ground of
the title. Rows: EfficientNet-Lite0 with the ridge regression, the 10 pictures nearest to each of these pictures, which
no title was needed for, and random. ``--picture`` writes what is nearest to some sentences and to some pictures.

    python -m benchmarks.captions [--json FILE] [--picture docs/images/sentences-to-pictures.png]
"""

from __future__ import annotations

import argparse
import dataclasses
import tempfile
from collections.abc import Sequence
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from graphrec.contracts.recall_data import RecallData
from graphrec.data.features import Features
from graphrec.data.interactions import Interactions
from graphrec.data.vocabulary import Vocabulary
from graphrec.graph.catalogue import items_only
from graphrec.models.content.image import Image
from graphrec.recallers.sentence_search import nearest_to_sentence

from .harness import write_json

SEED, K, SIDE = 3, 10, 96
COLOURS = {
    "red": (214, 39, 40), "orange": (255, 140, 20), "yellow": (240, 220, 40), "green": (44, 160, 44),
    "blue": (31, 90, 200), "purple": (140, 60, 180), "black": (20, 20, 20), "white": (250, 250, 250),
}  # fmt: skip
GROUNDS = {"grey": (150, 150, 150), "pink": (250, 190, 210), "brown": (110, 70, 40), "sky": (160, 210, 240)}
SHAPES = ("circle", "square", "triangle", "cross", "ring", "stripes")
SIZES = {"small": 14, "middling": 24, "large": 34}
SENTENCES = ("a large red circle", "blue stripes on pink", "a small white cross", "a green triangle on brown")
Saying = tuple[str, str, str, str]


def sayings() -> list[Saying]:
    """Return shape, colour, ground and size of every picture."""
    every = list(product(SHAPES, COLOURS, GROUNDS, SIZES))
    chosen = np.random.default_rng(SEED).permutation(len(every))
    return [every[place] for place in chosen]


def title(saying: Saying) -> str:
    """Return what is said of a picture."""
    shape, colour, ground, size = saying
    return f"{size} {colour} {shape} on {ground}"


def draw(path: Path, saying: Saying, rng: np.random.Generator) -> None:
    """Write a picture."""
    from PIL import Image as Pillow
    from PIL import ImageDraw

    shape, colour, ground, size = saying
    picture = Pillow.new("RGB", (SIDE, SIDE), GROUNDS[ground])
    brush, radius = ImageDraw.Draw(picture), SIZES[size]
    x, y = (int(value) for value in rng.integers(radius + 4, SIDE - radius - 4, 2))
    box, fill = (x - radius, y - radius, x + radius, y + radius), COLOURS[colour]
    if shape == "circle":
        brush.ellipse(box, fill=fill)
    elif shape == "ring":
        brush.ellipse(box, outline=fill, width=max(3, radius // 3))
    elif shape == "square":
        brush.rectangle(box, fill=fill)
    elif shape == "triangle":
        brush.polygon([(x, y - radius), (x - radius, y + radius), (x + radius, y + radius)], fill=fill)
    elif shape == "cross":
        brush.line((x - radius, y, x + radius, y), fill=fill, width=max(4, radius // 2))
        brush.line((x, y - radius, x, y + radius), fill=fill, width=max(4, radius // 2))
    else:
        for line in range(y - radius, y + radius + 1, 8):
            brush.line((x - radius, line, x + radius, line), fill=fill, width=4)
    picture.save(path)


def catalogue(titles: Sequence[str | None]) -> RecallData:
    """Return the items: picture ``ROW.png`` and title."""
    n = len(titles)
    ids = Vocabulary([str(row) for row in range(n)])
    columns = {
        "title": pa.array(titles, pa.large_string()),
        "image": pa.array([f"{row}.png" for row in range(n)], pa.large_string()),
    }
    data = RecallData(Vocabulary(["u"]), ids, Interactions([0], [0], n_users=1, n_items=n), items_only(ids))
    return dataclasses.replace(data, item_features=Features(n, texts=columns))


def picture_of_answers(path: Path, folder: Path, answers: dict[str | int, list[int]]) -> None:
    """Write the nearest pictures of each sentence or picture, a row each."""
    from PIL import Image as Pillow
    from PIL import ImageDraw

    width, height = 190 + 8 * (SIDE + 6), len(answers) * (SIDE + 6)
    sheet = Pillow.new("RGB", (width, height), "white")
    for row, (sentence, items) in enumerate(answers.items()):
        top = row * (SIDE + 6)
        if isinstance(sentence, str):
            ImageDraw.Draw(sheet).text((6, top + SIDE // 2 - 6), sentence, fill="black")
        else:
            sheet.paste(Pillow.open(folder / f"{sentence}.png"), (6, top))
        for place, item in enumerate(items[:8]):
            sheet.paste(Pillow.open(folder / f"{item}.png"), (190 + place * (SIDE + 6), top))
    path.parent.mkdir(parents=True, exist_ok=True)
    sheet.save(path, optimize=True)


def measure(folder: Path, picture: Path | None) -> list[dict[str, Any]]:
    """Return the rows, and write the picture where it is wanted."""
    said, rng = sayings(), np.random.default_rng(SEED)
    for row, saying in enumerate(said):
        draw(folder / f"{row}.png", saying, rng)
    lost = set(rng.permutation(len(said))[: len(said) // 5].tolist())
    data = catalogue([None if row in lost else title(saying) for row, saying in enumerate(said)])
    channel = Image(folder=str(folder), captions=("title",)).fit(data)
    answers = {row: nearest_to_sentence(channel, title(said[row]), K, data.pool)[0][0].tolist() for row in sorted(lost)}
    recall = float(np.mean([row in items for row, items in answers.items()]))
    table = Image(folder=str(folder)).embed(data)
    near = {row: [int(each.id) for each in table.nearest(str(row), K)] for row in sorted(lost)}
    if picture is not None:
        shown: dict[str | int, list[int]] = {
            each: nearest_to_sentence(channel, each, 8, data.pool)[0][0].tolist() for each in SENTENCES
        }
        picture_of_answers(picture, folder, shown | {row: near[row] for row in sorted(lost)[:4]})
    about = {"pictures": len(said), "held_out_titles": len(lost)}
    chance = {"recall@10": K / len(said), "same_shape_colour_ground": len(SIZES) / len(said)}
    return [
        {"name": "random", **chance, **about},
        {"name": "captions", "recall@10": recall, "same_shape_colour_ground": alike(answers, said), **about},
        {"name": "nearest pictures", "same_shape_colour_ground": alike(near, said), **about},
    ]


def alike(answers: dict[int, list[int]], said: list[Saying]) -> float:
    """Return the share of the pictures in front that have the shape, the colour and the ground of what asked."""
    return float(np.mean([[said[item][:3] == said[row][:3] for item in items] for row, items in answers.items()]))


def main() -> None:
    """Run from the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, help="not read: the pictures are drawn here")
    parser.add_argument("--json", type=Path)
    parser.add_argument("--picture", type=Path)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        results = measure(Path(folder), arguments.picture)
    for row in results:
        print("  ".join(f"{key} {value:.4f}" if isinstance(value, float) else str(value) for key, value in row.items()))
    if arguments.json:
        write_json(arguments.json, "captions", {"k": K, "seed": SEED}, results, packages=("onnxruntime", "wordllama"))


if __name__ == "__main__":
    main()
