"""SASRec: what is taken next, by causal self-attention over what was taken before."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from graphrec.contracts.domains import choices
from graphrec.contracts.recall_data import RecallData
from graphrec.contracts.recipe import About
from graphrec.contracts.settings import count, flag, number
from graphrec.models.deep.transformer_settings import TransformerSettings

if TYPE_CHECKING:
    from graphrec.models.deep.inputs import FieldInputs
    from graphrec.models.deep.sequence_model import SequenceModel


@dataclass(frozen=True, slots=True, kw_only=True)
class SASRec(TransformerSettings):
    r"""The items whose vectors are greatest times the state after the newest event, made by self-attention.

    .. math:: h_t = \mathrm{Blocks}(\hat v_{i_1} + p_1, \dots, \hat v_{i_t} + p_t)_t, \qquad
              s(j \mid i_{1..t}) = h_t \cdot v_j

    An item is read and searched by the same vector v, of its id and its features, and read as v normalised; p is a
    vector of its place. A block attends to events up to its own,

    .. math:: a_{tr} \propto \exp\big(q_t \cdot k_r / \sqrt d + b_{t - r}
              + c_{\lfloor \log_2 (1 + \tau_t - \tau_r) \rfloor}\big)

    with a learnt number for each distance in events, and with ``times`` one for each interval in powers of two of a
    second. What is minimised at each event is a softmax of the next item against sampled negatives, corrected by how
    often they were to be expected, or against the whole catalogue.

    Parameters
    ----------
    blocks, heads, block :
        See :class:`graphrec.models.deep.transformer_settings.TransformerSettings`: the plain block is that of [1]_, the
        gated that of [3]_.
    times : bool, default False
        Whether intervals between events play a part, where events have times.
    last, dim, features :
        See :class:`graphrec.models.deep.sequence_settings.SequenceSettings`, as all that is not explained here.

    Raises
    ------
    ConfigError
        If a setting lies outside its range, or two of them do not go together.

    References
    ----------
    .. [1] Kang, McAuley, "Self-attentive sequential recommendation", ICDM 2018. Differs: norms stand before what they
       feed, distances have a learnt number each, and a sampled softmax is in place of a loss of pairs.
    .. [2] Li, Wang, McAuley, "Time interval aware self-attention for sequential recommendation", WSDM 2020. Differs: an
       interval adds a number to a score and not a vector to key and value.
    .. [3] Tikhonovich et al., "eSASRec: enhancing transformer-based recommendations in a modular fashion", RecSys 2025.
    """

    about: ClassVar[About] = About(
        recalls="what is taken next, by self-attention over the newest events",
        artefact="encoder and vectors",
        cold_items="recalled by features",
        libraries=("torch", "lightning-fabric", "scikit-learn"),
    )

    times: bool = flag(False)
    negatives: int = count(16_384, least=1, unit="items", search=choices(512, 2048, 16_384))
    dropout: float = number(0.5, below=1.0, search=choices(0.2, 0.3, 0.5))

    def _model(self, items_in: FieldInputs, data: RecallData) -> SequenceModel:
        from graphrec.models.deep.transformer import CausalTransformer

        return CausalTransformer(
            items_in, last=self.last, blocks=self.blocks, heads=self.heads, kind=self.block,
            times=self.times and data.interactions.times is not None, dropout=self.dropout,
        )  # fmt: skip
