"""MLPerf Mobile: plan and run benchmarks, and read their results. ``import mlperf_mobile`` alone loads nothing.

>>> import mlperf_mobile
>>> results = mlperf_mobile.run(model="my.tflite", rules="quick")
>>> results.frame()[["model", "latency_p90_ns", "valid"]]
"""

from __future__ import annotations

import sys
from types import ModuleType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mlperf_mobile.api import load, plan, results, run  # noqa: TC004  see __getattr__

__all__ = ["load", "plan", "results", "run"]


class _Package(ModuleType):
    """This package, whose functions ``plan`` and ``results`` have the names of submodules.

    The import system binds a submodule to its name in the package once it is imported. Here the functions keep these
    names; the submodules are reached by importing from them, as in ``from mlperf_mobile.plan import Plan``.
    """

    def __setattr__(self, name: str, value: Any) -> None:
        if name not in __all__ or not isinstance(value, ModuleType):
            super().__setattr__(name, value)

    def __getattr__(self, name: str) -> Any:
        if name not in __all__:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        from mlperf_mobile import api

        found = getattr(api, name)
        super().__setattr__(name, found)
        return found

    def __dir__(self) -> list[str]:
        return sorted({*super().__dir__(), *__all__})


sys.modules[__name__].__class__ = _Package
