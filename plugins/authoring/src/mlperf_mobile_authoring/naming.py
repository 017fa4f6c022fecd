"""Names of new projects: of the distribution, of its module, and of what it offers."""

from __future__ import annotations

import keyword
import re
import sys
from collections.abc import Container
from dataclasses import dataclass
from importlib.util import find_spec

from mlperf_mobile.errors import UsageError
from mlperf_mobile.installed import distribution, normalised

_DISTRIBUTION = re.compile(r"[A-Za-z]([A-Za-z0-9]|[-_.](?=[A-Za-z0-9]))*")
"""The names of distributions (packaging.python.org, names and normalization) that also make a module's name."""
_LONGEST = 60
_DEVICES = {"aux", "con", "nul", "prn", *(f"{port}{n}" for port in ("com", "lpt") for n in range(1, 10))}
"""Names that Windows does not allow for files (Win32 documentation, naming files)."""
_FOLDERS = {"build", "dist", "docs", "src", "test", "tests"}
"""Names of folders that projects have beside their package."""


@dataclass(frozen=True, slots=True)
class ProjectName:
    """The name of a project in its three forms."""

    distribution: str
    """``"acme-npu"``: also of the folder, and of backends, scenarios and commands."""

    @property
    def module(self) -> str:
        """``"acme_npu"``: also of tasks, data sets and observers."""
        return self.distribution.replace("-", "_")

    @property
    def words(self) -> str:
        """``"AcmeNpu"``: the beginning of class names."""
        return "".join(word[:1].upper() + word[1:] for word in self.distribution.split("-"))


def project_name(text: str) -> ProjectName:
    """The name of a new project, checked and normalised.

    Args:
        text: As the user writes it: ``Acme_NPU`` is ``acme-npu``.

    Raises:
        UsageError: ``project-name``: it cannot name a distribution and a module, or something has this name.
    """
    if not text.isascii() or not _DISTRIBUTION.fullmatch(text) or len(text) > _LONGEST:
        rule = f"up to {_LONGEST} ASCII letters, digits and single '-', '_' or '.' between them, first a letter"
        raise _refused(text[: 2 * _LONGEST], "cannot name a distribution and a module", rule)
    name = ProjectName(normalised(text))
    for reason, names in _TAKEN:
        if name.module in names:
            raise _refused(text, reason, "choose another name, such as " + name.distribution + "-plugin")
    if found := distribution(name.distribution):
        raise _refused(text, f"{found.name} {found.version} is installed", "choose another name, or uninstall it")
    if find_spec(name.module):
        raise _refused(text, f"a module {name.module} is installed", "choose another name")
    return name


_TAKEN: tuple[tuple[str, Container[str]], ...] = (
    ("it is a reserved word of Python", {word.lower() for word in (*keyword.kwlist, *keyword.softkwlist)}),
    ("the standard library has a module of this name", {name.lower() for name in sys.stdlib_module_names}),
    ("Windows reserves it", _DEVICES),
    ("projects have a folder of this name", _FOLDERS),
)


def _refused(name: str, reason: str, hint: str) -> UsageError:
    return UsageError("project-name", f"no project can be called {name!r}: {reason}", hint)
