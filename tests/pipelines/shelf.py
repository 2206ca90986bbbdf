"""A small shelf of books on disk: ratings, a knowledge graph and a configuration that trains in seconds.

Thirty books by six authors in three genres; forty readers who keep to one genre. Book b30 has no reader at all.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

N_BOOKS, N_READERS, N_AUTHORS = 30, 40, 6
GENRES = ("crime", "fantasy", "history")

CONFIG = """
name = "shelf"
seed = 7

[wording]
verb = "read"

[data.interactions]
path = "ratings.csv"
columns = { user_id = "reader", item_id = "book", weight = "stars", timestamp = "time" }

[data.knowledge]
paths = ["books.ttl"]
link = { template = "http://books.example/book/{id}" }
tags = ["genre"]

[split]
kind = "ratio"
test_share = 0.25

[channels.hot]
[channels.user-cf]
[channels.item-cf]
[channels.tag]
[channels.kg-neighbours]
[channels.node2vec]
dim = 16
walks_per_node = 4
length = 10
epochs = 1

[evaluate]
k = [5, 10]
bootstrap_rounds = 100
"""


def write_shelf(directory: Path) -> Path:
    """Write the files and return the path of the configuration."""
    rng = np.random.default_rng(3)
    lines = ["reader,book,stars,time"]
    for reader in range(N_READERS):
        own = [book for book in range(N_BOOKS) if book % 3 == reader % 3]
        chosen = rng.choice(own, size=6, replace=False)
        lines += [
            f"r{reader},b{book},{rng.integers(3, 6)},{1_700_000_000 + 86_400 * i}" for i, book in enumerate(chosen)
        ]
    (directory / "ratings.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    (directory / "books.ttl").write_text(_turtle(), encoding="utf-8")
    config = directory / "config.toml"
    config.write_text(CONFIG, encoding="utf-8")
    return config


def _turtle() -> str:
    lines = [
        "@prefix s: <https://schema.org/> .",
        "@prefix b: <http://books.example/book/> .",
        "@prefix a: <http://books.example/author/> .",
        "@prefix g: <http://books.example/genre/> .",
    ]
    for book in range(N_BOOKS + 1):
        author, genre = f"a:a{book % N_AUTHORS}", f"g:{GENRES[book % 3]}"
        lines.append(f'b:b{book} a s:Book ; s:name "Book {book}" ; s:author {author} ; s:genre {genre} .')
    lines += [f'a:a{author} a s:Person ; s:name "Author {author}" .' for author in range(N_AUTHORS)]
    lines += [f'g:{genre} a s:DefinedTerm ; s:name "{genre}" .' for genre in GENRES]
    return "\n".join(lines) + "\n"
