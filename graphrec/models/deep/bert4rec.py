"""BERT4Rec: what is hidden, by self-attention over both sides; served with the place behind the end hidden."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from graphrec.contracts.domains import choices
from graphrec.contracts.recall_data import RecallData
from graphrec.contracts.recipe import About
from graphrec.contracts.settings import number
from graphrec.models.deep.transformer_settings import TransformerSettings

if TYPE_CHECKING:
    from graphrec.models.deep.inputs import FieldInputs
    from graphrec.models.deep.sequence_model import SequenceModel
    from graphrec.models.deep.sequence_task import SequenceTask


@dataclass(frozen=True, slots=True, kw_only=True)
class BERT4Rec(TransformerSettings):
    r"""The items whose vectors are greatest times the state of a hidden place behind the newest event.

    .. math:: h = \mathrm{Blocks}(x_1 + p_1, \dots, x_w + p_w), \qquad
              x_r = \begin{cases} m & r \text{ hidden} \\ \hat v_{i_r} & \text{else} \end{cases}, \qquad
              s(j \mid h_t) = h_t \cdot v_j

    In training places of a window are hidden and each is predicted by its state, which attends to all events that are
    not hidden, earlier and later ones, with a learnt number for each distance to either side. At a request the place
    behind the newest event is hidden. What is minimised is a softmax of the hidden item against sampled negatives,
    corrected by how often they were to be expected, or against the whole catalogue.

    Parameters
    ----------
    hide : float
        Share of a window's events that are hidden, above 0 and below 1; at least one is, and one is not.
    hide_newest : float
        Share of windows in which the newest event alone is hidden, as at a request, from 0 to 1.
    blocks, heads, block :
        See :class:`graphrec.models.deep.transformer_settings.TransformerSettings`.
    last, dim, features :
        See :class:`graphrec.models.deep.sequence_settings.SequenceSettings`, as all that is not explained here.

    Raises
    ------
    ConfigError
        If a setting lies outside its range, or two of them do not go together.

    Notes
    -----
    A step teaches only what is hidden in it, so an epoch teaches less than one of ``sasrec`` and more are needed.

    References
    ----------
    .. [1] Sun et al., "BERT4Rec: sequential recommendation with bidirectional encoder representations from
       transformer", CIKM 2019. Differs: hidden places are not looked at, so that many are read as a request reads
       one; norms stand before what they feed; distances have a learnt number each; no layer before the product.
    .. [2] Petrov, Macdonald, "A systematic review and replicability study of BERT4Rec for sequential recommendation",
       RecSys 2022; "gSASRec", RecSys 2023: the softmax over negatives, and the length of training.
    """

    about: ClassVar[About] = About(
        recalls="what is taken next, by self-attention taught to tell hidden events from both sides",
        artefact="encoder and vectors",
        cold_items="recalled by features",
        libraries=("torch", "lightning-fabric", "scikit-learn"),
    )

    hide: float = number(0.3, above=0, below=1.0, search=choices(0.15, 0.3, 0.6))
    hide_newest: float = number(0.3, most=1.0)

    def _model(self, items_in: FieldInputs, data: RecallData) -> SequenceModel:  # noqa: ARG002 - as its base has it
        from graphrec.models.deep.transformer import ClozeTransformer

        return ClozeTransformer(
            items_in, last=self.last, blocks=self.blocks, heads=self.heads, kind=self.block, dropout=self.dropout
        )

    def _kind_of_task(self) -> type[SequenceTask]:
        from graphrec.models.deep.cloze_task import ClozeTask

        return ClozeTask
