"""A tower as an ONNX file, and what may be wrong with it: the one place that calls onnxruntime."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from graphrec.errors import BundleError, MissingExtraError, first_line

Inputs = Mapping[str, npt.NDArray[Any]]


class OnnxTower:
    """Vectors of queries by an ONNX graph; safe to use from several threads, each call on one thread.

    Parameters
    ----------
    content : bytes
        The file.
    where : Path or str
        What errors call it.

    Raises
    ------
    MissingExtraError
        If onnxruntime is not installed.
    BundleError
        If it is no ONNX graph that onnxruntime runs, or has another number of outputs than one.
    """

    def __init__(self, content: bytes, where: Path | str = "the tower") -> None:
        try:
            import onnxruntime
        except ImportError as error:
            raise MissingExtraError("a channel served by its tower (onnxruntime)", extra="towers") from error
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        options.log_severity_level = 4  # what is wrong is raised
        self.content, self._where = content, where
        try:
            self._session = onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
        # onnxruntime's errors have no other common ancestor.
        except Exception as error:
            raise BundleError(
                f"{where} is no ONNX graph that onnxruntime {onnxruntime.__version__} runs ({first_line(error)}); "
                "train the channel again"
            ) from error
        if len(self._session.get_outputs()) != 1:
            raise BundleError(f"{where} has {len(self._session.get_outputs())} outputs; it must have 1, the vectors")

    @property
    def inputs(self) -> tuple[str, ...]:
        """The names of what it asks for."""
        return tuple(node.name for node in self._session.get_inputs())

    def check(self, given: Inputs, shape: tuple[int, ...]) -> None:
        """Raise BundleError unless the inputs ``given`` are what it asks for, and it makes ``shape`` of each row."""
        for name in self.inputs:
            if name not in given:
                raise BundleError(
                    f"{self._where} asks for the input {name!r}, which neither the history nor the features of users "
                    f"give ({', '.join(map(repr, given))}); train the channel again, on the features that there are"
                )
        made = self(given).shape[1:]
        if made != shape:
            raise BundleError(f"{self._where} makes vectors of shape {made}; they must be {shape}, as the items' are")

    def __call__(self, given: Inputs) -> npt.NDArray[np.float32]:
        """Return float32 vectors, n of them, for inputs of n rows; those that it does not ask for are left out."""
        try:
            (vectors,) = self._session.run(None, {name: given[name] for name in self.inputs})
        except Exception as error:
            raise BundleError(f"{self._where} cannot be run on its inputs: {first_line(error)}") from error
        result: npt.NDArray[np.float32] = vectors
        return result
