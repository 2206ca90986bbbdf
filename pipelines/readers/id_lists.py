"""Files with one id a line, as pools and catalogues name them."""

from __future__ import annotations

from pathlib import Path

from graphrec.data.id_files import ids_of_text
from graphrec.errors import ConfigError

from .batches import check_file


def read_ids(file: Path) -> list[str]:
    """Return the ids of a file, each once, in order.

    Raises
    ------
    ConfigError
        If the file is not UTF-8 text.
    DataError
        If it is missing or empty.
    """
    check_file(file)
    try:
        return ids_of_text(file.read_text(encoding="utf-8-sig"))
    except UnicodeDecodeError as error:
        raise ConfigError(f"{file} is not UTF-8 text ({error.reason} at byte {error.start}); save it so") from error
