"""The pluggy manager of all plugins, which finds the hooks of a module quickly."""

from __future__ import annotations

from types import FunctionType, MethodType, ModuleType
from typing import Any

import pluggy


class HookManager(pluggy.PluginManager):
    """Looks for hooks only among a module's functions, because pluggy needs 20 µs for every attribute."""

    def parse_hookimpl_opts(self, plugin: object, name: str) -> Any:
        if type(plugin) is ModuleType and not isinstance(vars(plugin).get(name), _HOOKABLE):
            return None
        return super().parse_hookimpl_opts(plugin, name)


_HOOKABLE = (FunctionType, MethodType, staticmethod, classmethod)
