"""The rules that people write, on external ids: each checked by itself, all times in seconds UTC."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime

from graphrec.checks import typed_fields
from graphrec.errors import ConfigError, brief

Texts = tuple[str, ...]
Segment = Mapping[str, Texts]


@typed_fields
@dataclass(frozen=True, slots=True)
class Pin:
    """One item at one position of the final answer.

    Parameters
    ----------
    item : str
        The item.
    position : int
        Its place in the answer, from 1.
    name : str
        What people call the rule; the item where it is empty.
    start, end : int or None
        Seconds UTC: live from ``start`` on and until just before ``end``; None is open.
    segment : mapping of str to tuple of str
        Labels of users with the values for which the rule is; empty is for everybody.
    campaign : str
        A campaign whose window and segment the rule takes; it then has none of its own.

    Raises
    ------
    ConfigError
        If a value is missing or out of its range, or the window ends before it starts.
    """

    item: str = ""
    position: int = 0
    name: str = ""
    start: int | None = None
    end: int | None = None
    segment: dict[str, Texts] = field(default_factory=dict)
    campaign: str = ""

    def __post_init__(self) -> None:
        if not self.item:
            raise ConfigError("a pin gives no item; it needs item and position")
        if self.position < 1:
            raise ConfigError(f"position is {self.position}; positions start at 1")
        _check_frame(self.start, self.end, self.segment, self.campaign)


@typed_fields
@dataclass(frozen=True, slots=True)
class Boost:
    """A factor on the merged score of one item, or of all items with one value of a label.

    ``factor`` is above 0: 2.0 doubles, 0.5 halves. Exactly one of ``item`` and ``label`` (one label and its value, such
    as ``{"category": "poetry"}``) is given. The other fields are those of :class:`Pin`.
    """

    item: str = ""
    label: dict[str, str] = field(default_factory=dict)
    factor: float = 0.0
    name: str = ""
    start: int | None = None
    end: int | None = None
    segment: dict[str, Texts] = field(default_factory=dict)
    campaign: str = ""

    def __post_init__(self) -> None:
        if bool(self.item) == bool(self.label):
            raise ConfigError("a boost gives " + ("both item and label" if self.item else "neither item nor label")
                              + "; it needs exactly one of them")  # fmt: skip
        if len(self.label) > 1:
            raise ConfigError(f"a boost is for one label and its value; found {brief(tuple(self.label), 120)}")
        if not 0 < self.factor < float("inf"):
            raise ConfigError(f"factor is {self.factor}; it must be above 0 (2.0 doubles a score, 0.5 halves it)")
        _check_frame(self.start, self.end, self.segment, self.campaign)


@typed_fields
@dataclass(frozen=True, slots=True)
class Campaign:
    """Items that the channel offers in this order while the campaign runs; other rules may take its frame by name."""

    name: str = ""
    items: Texts = ()
    start: int | None = None
    end: int | None = None
    segment: dict[str, Texts] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not self.name:
            raise ConfigError("a campaign has no name; other rules refer to it by its name")
        if len(set(self.items)) != len(self.items):
            raise ConfigError("a campaign names an item twice; each may stand once")
        _check_frame(self.start, self.end, self.segment, "")


@typed_fields
@dataclass(frozen=True, slots=True)
class Arrivals:
    """New items that are shown in turn until each had its share.

    Parameters
    ----------
    released : str
        A number of the items, seconds UTC: when each came out.
    days : float
        How long an item is new, > 0.
    exposures : int
        Exposures that each new item is to get, >= 1.
    positions : tuple of int
        Places of the answer that are kept for new items; without any, one new item is offered for fusion to place.
    rotate_s : int
        Seconds after which the same person is offered the next new item, >= 1.
    """

    released: str = ""
    days: float = 14.0
    exposures: int = 0
    positions: tuple[int, ...] = ()
    rotate_s: int = 60
    name: str = ""
    start: int | None = None
    end: int | None = None
    segment: dict[str, Texts] = field(default_factory=dict)
    campaign: str = ""

    def __post_init__(self) -> None:
        if not self.released:
            raise ConfigError("arrivals do not say which number of the items tells their release; give released")
        if not 0 < self.days < float("inf"):
            raise ConfigError(f"days is {self.days}; it must be above 0")
        for name in ("exposures", "rotate_s"):
            if getattr(self, name) < 1:
                raise ConfigError(f"{name} is {getattr(self, name)}; it must be 1 or more")
        if any(position < 1 for position in self.positions):
            raise ConfigError(f"positions hold {min(self.positions)}; positions start at 1")
        if len(set(self.positions)) != len(self.positions):
            raise ConfigError("positions name a place twice; each may stand once")
        _check_frame(self.start, self.end, self.segment, self.campaign)


@typed_fields
@dataclass(frozen=True, slots=True)
class Deny:
    """Items that no channel may return. It belongs to the pool of the bundle, and so has no window and no segment."""

    items: Texts = ()
    name: str = ""

    def __post_init__(self) -> None:
        if not self.items:
            raise ConfigError("a deny list names no items")


Rule = Pin | Boost | Campaign | Arrivals | Deny
KINDS: Mapping[str, type[Rule]] = {
    "pin": Pin,
    "boost": Boost,
    "campaign": Campaign,
    "arrivals": Arrivals,
    "deny": Deny,
}


@dataclass(frozen=True, slots=True)
class Entry:
    """A rule and where it was written: ``operations.toml, line 12``."""

    where: str
    rule: Rule

    @property
    def title(self) -> str:
        """Kind and name for people: ``pin 'launch'``."""
        rule = self.rule
        kind = next(kind for kind, made in KINDS.items() if isinstance(rule, made))
        name = rule.name or (rule.item if isinstance(rule, Pin | Boost) else "")
        return f"{kind} {name!r}" if name else kind


@dataclass(frozen=True, slots=True)
class Rules:
    """All rules of one file, in its order."""

    entries: tuple[Entry, ...] = ()

    @property
    def denied(self) -> Texts:
        """The ids of all deny lists."""
        return tuple(item for entry in self.entries if isinstance(entry.rule, Deny) for item in entry.rule.items)

    def campaign(self, name: str) -> Campaign | None:
        """Return the campaign of that name, or None."""
        campaigns = (entry.rule for entry in self.entries if isinstance(entry.rule, Campaign))
        return next((campaign for campaign in campaigns if campaign.name == name), None)

    def frame(self, rule: Pin | Boost | Campaign | Arrivals) -> tuple[float, float, Segment]:
        """Return start and end (infinite where open) and the segment of a rule: its campaign's where it has one."""
        name = "" if isinstance(rule, Campaign) else rule.campaign
        framed = (self.campaign(name) or rule) if name else rule
        start = float("-inf") if framed.start is None else float(framed.start)
        return start, float("inf") if framed.end is None else float(framed.end), framed.segment


def iso(seconds: float) -> str:
    """Return a moment in ISO 8601, UTC, for people."""
    return datetime.fromtimestamp(seconds, tz=UTC).isoformat().replace("+00:00", "Z")


def _check_frame(start: int | None, end: int | None, segment: Segment, campaign: str) -> None:
    """Raise ConfigError where a window ends before it starts, a segment is empty, or a frame is given twice."""
    if start is not None and end is not None and end <= start:
        raise ConfigError(f"it ends at {iso(end)}, which is not after its start at {iso(start)}")
    for label, values in segment.items():
        if not values:
            raise ConfigError(f"the segment names no value of {label!r}; give at least one")
    if campaign and (start is not None or end is not None or segment):
        raise ConfigError(
            f"it belongs to the campaign {campaign!r} and has a start, end or segment of its own; give one or the other"
        )
