"""Rich's console for untrusted text: nothing is interpreted as markup, and control characters are not printed."""

from __future__ import annotations

import sys
from collections.abc import Iterable

from rich.console import Console, ConsoleOptions, RenderableType
from rich.segment import Segment
from rich.text import Text

from mlperf_mobile.printing import clean, clean_lines, raw
from mlperf_mobile.streams import ReaderGone


class CleanConsole(Console):
    """A console on standard output, or on standard error.

    A closed pipe raises ReaderGone, as with ``print``.
    """

    def __init__(self, *, stderr: bool = False) -> None:
        stream = sys.stderr if stderr else sys.stdout
        super().__init__(file=raw(stream), markup=False, emoji=False, highlight=False, soft_wrap=False)

    def on_broken_pipe(self) -> None:
        raise ReaderGone

    def render(self, renderable: RenderableType, options: ConsoleOptions | None = None) -> Iterable[Segment]:
        """The segments of a renderable, with all text cleaned, including that of Rich."""
        for segment in super().render(renderable, options):
            text, style, control = segment
            yield segment if control or text.isprintable() else Segment(clean_lines(text), style)


def text(value: object, style: str = "") -> Text:
    """A value as cleaned text of one or more lines."""
    return Text("\n".join(map(clean, str(value).splitlines())), style=style)
