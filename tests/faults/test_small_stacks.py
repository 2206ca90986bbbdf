"""RDF that is as deep as the limits allow, read in a thread whose stack is as small as servers make them."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Generator
from pathlib import Path

import pytest

from graphrec.data.limits import Limits
from graphrec.kg.reading.deep_stack import on_deep_stack
from tests.faults.hostile_rdf import DEEP

_STACK_BYTES = 256 << 10
# A level of a kind may count as one to four levels of the limit.
_CHILD = """
import sys, threading
from pathlib import Path
from graphrec.data.limits import Limits
from graphrec.errors import GraphRecError
from graphrec.kg.reading.formats import rdf_file
from graphrec.kg.reading.rdf import read_rdf
from graphrec.kg.reading.statements import quads
from tests.faults.hostile_rdf import DEEP, MANY

folder, depth, names = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
limits = Limits(depth=depth, names=names)

def read(kind, extension, text):
    path = folder / f"document{extension}"
    path.write_text(text, encoding="utf-8")
    try:
        read_rdf(path, limits=limits, max_reject_share=1.0)
        said = "kept"
        sum(1 for _ in quads(rdf_file(path), limits=limits))
    except GraphRecError as error:
        said = "deep" if "limits." in str(error) else "refused"
    print(kind, said, sep=": ", flush=True)

def read_all(sizes, lengths):
    for kind, (extension, document) in DEEP.items():
        for n in sizes:
            read(kind, extension, document(n))
    for kind in ("chain", "circle"):
        for n in lengths:
            read(kind, MANY[kind][0], MANY[kind][1](n))

read_all([2], [2])  # what is compiled and imported needs a stack of its own
threading.stack_size(int(sys.argv[4]))
thread = threading.Thread(target=read_all, args=([depth // part - 2 for part in (1, 2, 3, 4)], [names - 2, names + 1]))
thread.start()
thread.join()
print("done")
"""


@pytest.mark.parametrize(("depth", "names"), [(128, 3_000), (400, 6_000)])
def test_a_small_stack_ends_no_process(tmp_path: Path, depth: int, names: int) -> None:
    command = [sys.executable, "-c", _CHILD, *map(str, (tmp_path, depth, names, _STACK_BYTES))]
    run = subprocess.run(command, capture_output=True, encoding="utf-8", check=False, timeout=300)
    lines = run.stdout.splitlines()
    assert (run.returncode, lines[-1]) == (0, "done"), f"{lines[-1]}; {run.stderr[-300:]}"
    # Each kind was read at a depth that is legal, not only refused as too deep.
    reached = {line.split(":")[0] for line in lines[len(DEEP) + 2 :] if not line.endswith(": deep")}
    assert reached >= {*DEEP, "chain"}


def test_what_the_thread_raises_is_raised_and_its_end_is_run() -> None:
    ended: list[str] = []

    def items(fault: bool) -> Generator[int, None, None]:
        try:
            yield 1
            yield 2
            if fault:
                raise ZeroDivisionError("no luck")
        finally:
            ended.append("end")

    assert list(on_deep_stack(items(False), Limits())) == [1, 2]
    with pytest.raises(ZeroDivisionError, match="no luck"):
        list(on_deep_stack(items(True), Limits()))
    part = on_deep_stack(items(False), Limits())
    assert next(part) == 1
    part.close()
    assert ended == ["end"] * 3
