"""Progress in a notebook: one output that is updated, with a bar and a line of text."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from html import escape
from typing import Any

from mlperf_mobile import events
from mlperf_mobile.printing import clean


def in_notebook() -> bool:
    """Whether this code runs in a kernel that can display HTML; nothing is imported."""
    shell = getattr(sys.modules.get("IPython"), "get_ipython", lambda: None)()
    return getattr(shell, "kernel", None) is not None


class Bar:
    """The text and the bar of one run."""

    def __init__(self, title: str) -> None:
        self.title, self.text = clean(title), "starting"
        self.share: float | None = None

    def hear(self, event: events.Event) -> bool:
        """Follow an event; returns whether something changed."""
        if isinstance(event, events.Phase):
            self.text, self.share = f"{event.name}: {event.step}" if event.step else event.name, None
        elif isinstance(event, events.Progress):
            left = f", {event.left_s:.0f} s left" if event.left_s is not None else ""
            self.text, self.share = f"{event.phase}{left}", event.fraction
        else:
            return False
        return True

    def _repr_mimebundle_(self, **_options: Any) -> dict[str, str]:
        """For IPython's display."""
        value = "" if self.share is None else f' value="{min(1.0, max(0.0, self.share)):.3f}"'
        text = f"{self.title}: {clean(self.text)}"
        return {"text/plain": text, "text/html": f"<progress{value}></progress> {escape(text)}"}


@contextmanager
def notebook_bar(title: str) -> Iterator[Any]:
    """A function to call with every event of one run."""
    from IPython.display import display

    bar = Bar(title)
    handle = display(bar, display_id=True)

    def listen(event: events.Event) -> None:
        if bar.hear(event) and handle is not None:
            handle.update(bar)

    try:
        yield listen
    finally:
        bar.text, bar.share = "done", 1.0
        if handle is not None:
            handle.update(bar)
