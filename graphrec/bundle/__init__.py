"""The bundle: everything that serving needs, in one directory that is whole, checked and free of pickle."""

from graphrec.bundle.publish import publish, roll_back, switch_current
from graphrec.bundle.read import Bundle, open_bundle
from graphrec.bundle.verify import FileCheck, find_bundle, verify_bundle
from graphrec.bundle.write import write_bundle

__all__ = [
    "Bundle",
    "FileCheck",
    "find_bundle",
    "open_bundle",
    "publish",
    "roll_back",
    "switch_current",
    "verify_bundle",
    "write_bundle",
]
