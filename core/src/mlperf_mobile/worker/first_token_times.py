"""Whether first tokens are reported in time: compared with an answer of one token, which says when there is one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

STREAMED_TOKENS = 16
"""The shortest answers whose first token may be called late: an engine may hold back a text of a few tokens."""
JUDGED_TOKENS = 2 * STREAMED_TOKENS
"""The most tokens of an answer that is generated for this."""
EARLY = 10
"""An answer of one token may take this many times as long as its token, for what an engine does afterwards."""
LEAST_NS = 1_000_000
"""Shorter answers are not judged: most of their time may be ours."""
TRIES = 8
"""How often answers are compared, before other work on the machine is no excuse."""


@dataclass(frozen=True, slots=True)
class Answered:
    """What an answer took."""

    tokens: int
    first_ns: int
    whole_ns: int

    def fits(self, one_ns: int) -> bool:
        """Whether the first token came neither before nor after the one of an answer of one token."""
        early = one_ns >= LEAST_NS and self.first_ns < one_ns / EARLY
        late = self.first_ns > one_ns + max(0, self.whole_ns - one_ns) / 2
        return not early and not (late and self.tokens >= STREAMED_TOKENS and self.whole_ns >= LEAST_NS)


def misfit(answer: Callable[[], Answered], one: Callable[[], Answered]) -> str:
    """The times of a first token that is reported too early or too late each time; empty if it is not.

    Args:
        answer: Answers a prompt.
        one: Answers it with one token.
    """
    for _ in range(TRIES):
        found, alone = answer(), one()
        if not found.tokens or found.fits(alone.whole_ns):
            return ""
    return (
        f"after {found.first_ns / 1e6:.3g} ms of {found.whole_ns / 1e6:.3g} ms, and an answer of one token takes "
        f"{alone.whole_ns / 1e6:.3g} ms"
    )
