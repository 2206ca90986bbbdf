"""The towers that make vectors of queries as ONNX graphs, for serving without torch."""

from __future__ import annotations

import copy
import io
import warnings
from collections.abc import Mapping
from typing import Any, cast

import torch
from torch import Tensor, nn

from graphrec.data.encoding.encoded import MISSING
from graphrec.errors import MissingExtraError
from graphrec.models.deep.inputs import FieldInputs
from graphrec.models.deep.sequence_model import Events, SequenceModel
from graphrec.models.deep.target_attention import TargetAttention
from graphrec.models.deep.towers import Towers

# Of an output, the axes that may be of any size: the first alone.
_ROWS: Mapping[int, str] = {0: "n"}


def user_tower(model: Towers) -> bytes:
    """Return the ONNX file of ``model``'s users.

    Its inputs are those of :class:`graphrec.recallers.encoder.TowerEncoder`: ``user`` (n,) and ``said`` (n, width), and
    where the model reads features of users ``category:NAME`` (n, w), ``numbers`` (n, k), ``vector:NAME`` (n, size).
    Its output is ``vector`` (n, width). Weights are float32; the file must stay below 2 GB.

    Raises
    ------
    MissingExtraError
        If onnx is not installed.
    """
    tower = _UserTower(model).train(mode=False).cpu()
    examples = {"user": torch.zeros(2, dtype=torch.int64), "said": torch.zeros(2, model.width)}
    if tower.fields is not None:
        examples |= tower.fields.examples()
    return _exported(tower, examples, {name: _axes(name) for name in examples})


def _axes(name: str) -> dict[int, str]:
    """Return the axes of an input of rows that may be of any size."""
    return {0: "n", 1: f"w of {name}"} if name.startswith("category:") else {0: "n"}


def _exported(
    tower: nn.Module,
    examples: Mapping[str, Tensor],
    axes: Mapping[str, Mapping[int, str]],
    made: Mapping[int, str] = _ROWS,
) -> bytes:
    """Return a module's graph as a file; ``axes`` and ``made`` say which axes of inputs and output are of any size."""
    try:
        import onnx  # noqa: F401 - the exporter's own complaint comes late, and names no remedy
    except ImportError as error:
        raise MissingExtraError("a channel served by its tower (onnx)", extra="train") from error
    buffer: Any = io.BytesIO()  # the exporter that is called takes one; the annotation is of the newer
    with warnings.catch_warnings():
        # The exporter that needs no further package; torch calls it legacy.
        warnings.simplefilter("ignore")
        torch.onnx.export(
            tower, tuple(examples.values()), buffer, dynamo=False, input_names=list(examples),
            output_names=["vector"], dynamic_axes={**axes, "vector": made},
        )  # fmt: skip
    content: bytes = buffer.getvalue()
    return content


class _PaddedFields(nn.Module):
    """The same sums of features as :class:`graphrec.models.deep.inputs.FieldInputs` makes, over padded codes."""

    def __init__(self, fields: FieldInputs) -> None:
        super().__init__()
        self.fields = copy.deepcopy(fields)  # for the model may be under training on another device

    def examples(self) -> dict[str, Tensor]:
        """Return features of two rows by name, in the order of :meth:`forward`."""
        made = {f"category:{name}": torch.zeros((2, 2), dtype=torch.int64) for name in self.fields.category_names}
        if self.fields.numbers is not None:
            made["numbers"] = torch.zeros(2, len(self.fields.numbers))
        for name, linear in zip(self.fields.vector_names, self.fields.maps, strict=True):
            made[f"vector:{name}"] = torch.zeros(2, cast("nn.Linear", linear).in_features)
        return made

    def forward(self, total: Tensor, *features: Tensor) -> Tensor:
        """Return (n, dim): ``total`` (n, dim) with what the features say."""
        given = iter(features)
        for table in self.fields.tables:
            codes = next(given)
            n_known = (codes != MISSING).sum(dim=1, keepdim=True).clamp_min(1)
            total = total + table(codes).sum(dim=1) / n_known
        if self.fields.numbers is not None:
            total = total + next(given) @ self.fields.numbers
        for linear in self.fields.maps:
            total = total + linear(next(given))
        return total


class _UserTower(nn.Module):
    """A history, what was learnt of its user, and his features, summed up and finished."""

    def __init__(self, model: Towers) -> None:
        super().__init__()
        self.finishing = copy.deepcopy(model.finishing)
        self.fields = None if model.users_in is None else _PaddedFields(model.users_in)
        ids = None if model.users_in is None else model.users_in.ids
        self.table = None
        if ids is not None and model.users_in is not None:
            own = ids.weight.detach() * model.users_in.seen  # type: ignore[operator]
            # One more row, for users that training did not see.
            self.table = nn.Embedding(len(own) + 1, own.shape[1], _weight=torch.cat([own, torch.zeros_like(own[:1])]))

    def forward(self, user: Tensor, said: Tensor, *features: Tensor) -> Tensor:
        """Return (n, width)."""
        # Whoever has no table does not ask for the user, but the graph keeps its inputs.
        total = said if self.table is None else said + self.table(user)
        if self.fields is not None:
            total = self.fields(total, *features)
        vectors: Tensor = self.finishing(total)
        return vectors


def sequence_tower(model: SequenceModel) -> bytes:
    """Return the ONNX file that makes the vector of a history.

    Its inputs are those of :class:`graphrec.recallers.encoder.TowerEncoder`: ``events`` (n, w, dim), ``lengths`` (n,),
    where the model reads times ``ages`` (n, w), and the features of users as of :func:`user_tower`. Its output is
    ``vector`` (n, dim).

    Raises
    ------
    MissingExtraError
        If onnx is not installed.
    """
    tower = _SequenceTower(model).train(mode=False).cpu()
    # Width 3 and lengths that differ: nothing of the example may become a constant of the graph.
    ages = {"ages": torch.zeros(2, 3)} if model.reads_times else {}
    examples = {"events": torch.zeros(2, 3, model.items_in.dim), "lengths": torch.tensor([3, 2]), **ages}
    axes = {name: {0: "n"} if name == "lengths" else {0: "n", 1: "w"} for name in examples}
    features = {} if tower.fields is None else tower.fields.examples()
    return _exported(tower, examples | features, axes | {name: _axes(name) for name in features})


class _SequenceTower(nn.Module):
    """A copy of a sequence model, without the vectors of items; users are known by padded features."""

    def __init__(self, model: SequenceModel) -> None:
        super().__init__()
        self.fields = None if model.users_in is None else _PaddedFields(model.users_in)
        # A copy, for the model may be under training on another device.
        parts = model.items_in, model.users_in, model.means
        model.items_in, model.users_in, model.means = None, None, None  # type: ignore[assignment]
        try:
            self.model = copy.deepcopy(model)
        finally:
            model.items_in, model.users_in, model.means = parts

    def forward(self, events: Tensor, lengths: Tensor, *more: Tensor) -> Tensor:
        """Return (n, dim); ``more`` are the ages, where the model reads times, and features."""
        nothing = events[:, :, 0] * 0
        ages, features = (more[0], more[1:]) if self.model.reads_times else (nothing, more)
        users = None if self.fields is None else self.fields(events[:, 0] * 0, *features)
        return self.model.last(Events(events, lengths, ages, nothing, users=users))


def target_net(net: TargetAttention) -> bytes:
    """Return the ONNX file that scores candidates after a history.

    Its inputs are ``events`` (n, w, dim), ``lengths`` (n,) and ``candidates`` (n, c, dim); its output is (n, c).

    Raises
    ------
    MissingExtraError
        If onnx is not installed.
    """
    copied, dim = copy.deepcopy(net).train(mode=False).cpu(), net.norm.normalized_shape[0]
    examples = {
        "events": torch.zeros(2, 3, dim), "lengths": torch.tensor([3, 2]), "candidates": torch.zeros(2, 4, dim),
    }  # fmt: skip
    axes = {"events": {0: "n", 1: "w"}, "lengths": {0: "n"}, "candidates": {0: "n", 1: "c"}}
    return _exported(copied, examples, axes, {0: "n", 1: "c"})
