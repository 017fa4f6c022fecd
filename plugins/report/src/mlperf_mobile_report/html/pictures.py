"""Pictures that the metric left: what a model made, for people to look at."""

from __future__ import annotations

import base64
import struct

from mlperf_mobile.regular_files import read_regular
from mlperf_mobile.results import pictures
from mlperf_mobile_report.html.markup import Markup, cut, element, section
from mlperf_mobile_report.measures import ReportedResult

SHOWN, MOST_BYTES = 24, 16 << 20
"""Pictures of one result at most, and their bytes together."""
LONGEST_SIDE = 4096
"""Pixels of a picture's side at most."""
_MAGIC = b"\x89PNG\r\n\x1a\n"


def _is_png(data: bytes) -> bool:
    """Whether it begins as a PNG of a reasonable size: a few bytes may describe more pixels than a browser can hold."""
    sides = struct.unpack_from(">II", data, 16) if len(data) >= 24 else (0, 0)
    return data.startswith(_MAGIC) and all(0 < side <= LONGEST_SIDE for side in sides)


def section_of(one: ReportedResult) -> Markup:
    """The first pictures in the result's folder, inside the page; empty if there are none."""
    found, room = [], MOST_BYTES
    files = pictures.of_run(one.folder)
    for path in files[:SHOWN]:
        try:
            data = read_regular(path, min(room, pictures.MOST_BYTES))
        except OSError:
            continue
        if not _is_png(data):
            continue
        room -= len(data)
        text = cut(path.stem.replace("-", " "))
        source = f"data:image/png;base64,{base64.b64encode(data).decode()}"
        found.append(element("figure", element("img", src=source, alt=text), element("figcaption", text)))
    if not found:
        return Markup()
    more = f"{len(found)} of {len(files)}; all are in {pictures.PICTURES} in the folder of the run."
    return section("Pictures", [element("p", more), element("div", *found, class_="pictures")])
