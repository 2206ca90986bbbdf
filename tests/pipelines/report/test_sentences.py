"""A report in sentences."""

from __future__ import annotations

from dataclasses import replace

from graphrec.pipelines.report.sentences import protocol
from tests.pipelines.report.reports import channel, report


def test_the_protocol_names_what_channels_chose() -> None:
    plain = report()
    assert "chosen" not in protocol(plain)
    rows = {**plain.channels, "lightgcn": replace(channel(plain.k), chosen={"stop_at": 220, "width": 3})}
    ends = "full ranking; chosen on a validation part of train: lightgcn stop_at 220, lightgcn width 3"
    assert protocol(replace(plain, channels=rows)).endswith(ends)
