"""Why something installed is not offered, in one line that its author or user can act on."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from mlperf_mobile.errors import described
from mlperf_mobile.installed import distribution, normalised

CORE = "mlperf-mobile"
"""The distribution of the core."""

LONGEST = 300
"""Characters of an exception's text."""


class Source(NamedTuple):
    """Where an offer comes from: the entry point, and the distribution that declares it."""

    plugin: str
    distribution: str
    version: str

    @property
    def remedy(self) -> str:
        """What the user can do about a plugin that fails."""
        return f"update or uninstall it, or set MLPERF_MOBILE_BLOCK={self.plugin}"

    def __str__(self) -> str:
        return f"{self.distribution} {self.version}"


class Problem(NamedTuple):
    """Why something installed is not offered, and how to fix it."""

    code: str
    source: Source
    reason: str
    fix: str
    offer: tuple[str, str] | None = None
    """Kind and name of the offer that is left out; None if the plugin failed, and its offers are unknown."""
    error: BaseException | None = None
    """What the plugin raised."""
    rivals: tuple[Source, ...] = ()
    """All plugins whose offers are left out, if they are several."""

    def concerns(self, source: Source) -> bool:
        """Whether something of this plugin is left out, whichever plugin has to change."""
        return source == self.source or source in self.rivals

    def record(self) -> dict[str, str]:
        """The problem as an item of ``--json`` output."""
        return {"code": self.code, "source": str(self.source), "reason": self.reason, "fix": self.fix}

    def line(self) -> str:
        """The problem as one line of text."""
        return f"problem[{self.code}] {self.source}: {self.reason}; {self.fix}"

    def text(self, *, debug: bool) -> str:
        """The line; with ``debug`` below the traceback of what the plugin raised."""
        if not debug or self.error is None:
            return self.line()
        from traceback import format_exception

        return "".join([*format_exception(self.error), self.line()])


def import_problem(source: Source, target: str, error: BaseException) -> Problem:
    """The problem of a plugin whose module cannot be imported.

    Args:
        source: The plugin.
        target: Its entry point: ``"acme.plugin"``.
        error: What the import raised.
    """
    reason, fix = described(error)[:LONGEST], source.remedy
    module = target.partition("[")[0].partition(":")[0].strip()
    name = getattr(error, "name", None) or ""
    if isinstance(error, ModuleNotFoundError) and f"{module}.".startswith(f"{name}."):
        reason = f"its entry point {source.plugin} = {target!r} names a module that does not exist: {reason}"
    elif isinstance(error, AttributeError) and ":" in target and error.__traceback__ and not _in(module, error):
        reason = f"its entry point {source.plugin} = {target!r} names nothing: {reason}"
    elif isinstance(error, ImportError) and name.partition(".")[0] == "mlperf_mobile":
        fix = f"if it needs a newer core, pip install -U {CORE}; otherwise {source.remedy}"
    return Problem("import-failed", source, reason[: 2 * LONGEST], fix, error=error)


def _in(module: str, error: BaseException) -> bool:
    """Whether code of ``module`` raised the error."""
    trace = error.__traceback__
    while trace:
        if trace.tb_frame.f_globals.get("__name__") == module:
            return True
        trace = trace.tb_next
    return False


def duplicate(kind: str, name: str, sources: Sequence[Source]) -> Problem:
    """The problem of a name that several plugins offer; the fix lists each choice, the original first."""
    rivals = _original_first(name, sources)
    if len(rivals) == 1:
        reason = f"{kind} {name!r} is offered twice by {rivals[0]}, so none is used"
        fix = f"report it to its author, or set MLPERF_MOBILE_BLOCK={rivals[0].plugin}"
        return Problem("duplicate", rivals[0], reason, fix, (kind, name), rivals=tuple(rivals))
    reason = f"{kind} {name!r} is offered by {' and '.join(map(str, rivals))}, so none is used"
    choices = []
    for kept in rivals:
        others = [each for each in rivals if each != kept]
        blocked = dict.fromkeys(each.plugin for each in others)
        if kept.plugin in blocked:
            choices.append(f"to use that of {kept}, pip uninstall {' '.join(each.distribution for each in others)}")
        else:
            choices.append(f"to use that of {kept}, set MLPERF_MOBILE_BLOCK={','.join(blocked)}")
    return Problem("duplicate", rivals[-1], reason, "; ".join(choices), (kind, name), rivals=tuple(rivals))


def _original_first(name: str, sources: Sequence[Source]) -> list[Source]:
    """Each source once: this project's distributions first, then those that are named after the offer."""
    core = distribution(CORE)
    own = {CORE, *(core.with_extra("all") if core else ())}

    def rank(source: Source) -> tuple[int, str]:
        key = normalised(source.distribution)
        return (0 if key in own else 1 if key.endswith(normalised(name)) else 2), str(source)

    return sorted(set(sources), key=rank)
