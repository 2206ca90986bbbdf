"""Features as a model reads them: one transformation, fitted on train, the same offline and for a request."""

from graphrec.data.encoding.encoded import EncodedFeatures, EncodedField
from graphrec.data.encoding.encoder import FeatureEncoder
from graphrec.data.encoding.settings import EncoderSettings

__all__ = ["EncodedFeatures", "EncodedField", "EncoderSettings", "FeatureEncoder"]
