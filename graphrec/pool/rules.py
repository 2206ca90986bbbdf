"""Rules of the candidate pool: each decides which items may be recalled, and of which too little is known."""

from collections.abc import Mapping

from graphrec.pool.activity import Activity
from graphrec.pool.attributes import Age, Number
from graphrec.pool.labels import Label, Tag, absent_names
from graphrec.pool.quality import Conversion, Rating
from graphrec.pool.rule import Rule, Verdict

__all__ = [
    "RULES",
    "Activity",
    "Age",
    "Conversion",
    "Label",
    "Number",
    "Rating",
    "Rule",
    "Tag",
    "Verdict",
    "absent_names",
]

RULES: Mapping[str, type[Rule]] = {rule.kind: rule for rule in (Activity, Age, Number, Label, Tag, Rating, Conversion)}
"""The rules by the name that they have in a configuration."""
