"""A tokenizer of a dozen words and a table whose vectors can be followed by hand."""

from __future__ import annotations

import numpy as np
from tokenizers import Tokenizer
from tokenizers.models import WordLevel
from tokenizers.pre_tokenizers import Whitespace

WORDS = ("[UNK]", "dune", "sand", "worm", "ship", "sea", "the", "war")
# Columns: desert, water, what "the" says, fighting; an unknown word says nothing.
TABLE = np.array(
    [[0, 0, 0, 0], [2, 0, 0, 0], [1, 0, 0, 0], [1, 0, 0, 1], [0, 2, 0, 0], [0, 1, 0, 0], [0, 0, 3, 0], [0, 0, 0, 2]],
    dtype=np.float32,
)


def tokenizer_json() -> str:
    """Return the tokenizer as its JSON."""
    tokenizer = Tokenizer(WordLevel({word: row for row, word in enumerate(WORDS)}, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = Whitespace()
    return str(tokenizer.to_str())
