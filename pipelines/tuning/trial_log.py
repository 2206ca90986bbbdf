"""The trials of one channel on disk: lines of JSON that a killed run leaves whole and the next one goes on with."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from graphrec.data.files import read_array, write_array
from graphrec.errors import ConfigError, DataError
from graphrec.escapes import json_text

_FORMAT = 1


@dataclasses.dataclass(frozen=True, slots=True)
class Trial:
    """One try: what was drawn and what came of it.

    ``drawn`` maps fields to numbers of their domains; None where the settings lie outside the space, as the present
    ones may. ``value`` is the metric's mean over validation users, None where the trial failed for the reason that
    ``message`` gives. ``repeats`` is the number of an earlier trial with the same settings, which was not run again.
    """

    number: int
    drawn: Mapping[str, float] | None
    value: float | None
    fit_s: float = 0.0
    measure_s: float = 0.0
    message: str = ""
    repeats: int | None = None


class TrialLog:
    """The trials of one channel, in the order in which they were made.

    A directory holds ``trials.jsonl`` (one line says what is searched, then one line a trial, written when the trial is
    over) and ``NUMBER.npy``: the metric of each validation user under the present settings (0) and the best ones.

    Parameters
    ----------
    directory : Path
        Made with the first trial.
    identity : mapping
        Everything that the trials depend on, as JSON values. A log of another search is refused.
    restart : bool
        Throw away what is there.

    Raises
    ------
    ConfigError
        If the log belongs to another search, naming the first difference.
    DataError
        If the log is damaged.
    """

    def __init__(self, directory: Path, identity: Mapping[str, Any], *, restart: bool = False) -> None:
        self._directory = directory
        self._file = directory / "trials.jsonl"
        self._head = {"format": _FORMAT, **json.loads(json.dumps(identity))}
        if restart:
            self._remove()
        self.trials: list[Trial] = self._read()

    @property
    def best(self) -> Trial | None:
        """The trial of the highest value, the earliest of equals: present settings win a tie."""
        done = [trial for trial in self.trials if trial.value is not None]
        return max(done, key=lambda trial: trial.value or 0.0, default=None)

    @property
    def present(self) -> Trial | None:
        """The trial of the present settings, once it was made."""
        return self.trials[0] if self.trials else None

    def append(self, trial: Trial, values: npt.NDArray[np.float64] | None) -> None:
        """Add a trial, with the metric of each user where it was measured."""
        before = self.best
        better = trial.value is not None and (before is None or trial.value > (before.value or 0.0))
        if not self.trials:
            self._directory.mkdir(parents=True, exist_ok=True)
            self._file.write_text(json_text(self._head) + "\n", encoding="utf-8")
        # The values first: a trial that stands in the log has its values, wherever the run was killed.
        if better and values is not None:
            write_array(self._values_file(trial), values)
        with self._file.open("a", encoding="utf-8") as file:
            file.write(json_text(dataclasses.asdict(trial)) + "\n")
        self.trials.append(trial)
        if better and before is not None and before.number > 0:
            self._values_file(before).unlink(missing_ok=True)

    def values(self, trial: Trial) -> npt.NDArray[np.float64]:
        """Return the metric of each validation user under the present or the best settings, (n,) float64."""
        return np.array(read_array(self._values_file(trial), np.float64))

    def _values_file(self, trial: Trial) -> Path:
        return self._directory / f"{trial.number}.npy"

    def _read(self) -> list[Trial]:
        if not self._file.exists():
            return []
        text = self._file.read_bytes()
        # A line that a killed run left unfinished was no trial yet: it is made again.
        whole = text[: text.rfind(b"\n") + 1]
        if whole != text:
            self._file.write_bytes(whole)
        lines = whole.decode("utf-8", errors="replace").splitlines()
        if not lines:
            return []
        self._check_head(self._parsed(lines, 0))
        return [self._trial(lines, place) for place in range(1, len(lines))]

    def _trial(self, lines: list[str], place: int) -> Trial:
        try:
            trial = Trial(**self._parsed(lines, place))
        except TypeError as error:
            raise DataError(f"{self._file}: a line is no trial ({error}); begin again with --restart") from error
        if trial.number != place - 1:
            raise DataError(
                f"{self._file}:{place + 1} holds trial {trial.number} where trial {place - 1} belongs: did two runs "
                "write here at once? Begin again with --restart"
            )
        return trial

    def _parsed(self, lines: list[str], place: int) -> dict[str, Any]:
        try:
            document = json.loads(lines[place])
        except json.JSONDecodeError as error:
            raise DataError(f"{self._file}:{place + 1} is no JSON ({error.msg}); begin again with --restart") from error
        if not isinstance(document, dict):
            raise DataError(f"{self._file}:{place + 1} holds {document!r}; begin again with --restart")
        return document

    def _check_head(self, head: dict[str, Any]) -> None:
        changed = difference(head, self._head)
        if changed is not None:
            raise ConfigError(
                f"{self._file} holds a search with other settings: {changed}; begin again with --restart, or take "
                "another --out"
            )

    def _remove(self) -> None:
        for file in (self._file, *self._directory.glob("*.npy")):
            file.unlink(missing_ok=True)


def difference(then: Any, now: Any, place: str = "") -> str | None:
    """Return the first place where two JSON values differ and what stood there, or None."""
    if isinstance(then, dict) and isinstance(now, dict):
        for key in dict.fromkeys([*then, *now]):
            change = difference(then.get(key), now.get(key), f"{place}.{key}".strip("."))
            if change is not None:
                return change
        return None
    return None if repr(then) == repr(now) else f"{place} was {_short(then)} and is {_short(now)}"


def _short(value: Any) -> str:
    text = json_text(value)
    return text if len(text) <= 60 else text[:57] + "..."
