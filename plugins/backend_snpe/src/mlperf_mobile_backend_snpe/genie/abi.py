"""The C interface of Genie: functions, status codes and sentence codes.

Declarations are those of GenieDialog.h and GenieCommon.h as they are public: of API 1.0, of API 1.10, and of the later
header that has ``GenieDialog_setMaxNumTokens``; their numbers agree. The calls are those of the language models in
mobile_app_open v6.0 (GenieExecutor.cc), which is built with QAIRT 2.45.
"""

from __future__ import annotations

import ctypes
from collections.abc import Mapping

REQUIRED: Mapping[str, str] = {
    "_getApiMajorVersion": " u",
    "_getApiMinorVersion": " u",
    "_getApiPatchVersion": " u",
    "DialogConfig_createFromJson": "sp",
    "DialogConfig_free": "p",
    "Dialog_create": "pp",
    "Dialog_tokenQuery": "ppuipp",
    "Dialog_setMaxNumTokens": "pu",
    "Dialog_signal": "pi",
    "Dialog_reset": "p",
    "Dialog_free": "p",
}
"""Functions without ``Genie``, as :class:`mlperf_mobile_native_libraries.functions.Functions` takes them."""

TokenCallback = ctypes.CFUNCTYPE(
    None, ctypes.POINTER(ctypes.c_uint32), ctypes.c_uint32, ctypes.c_int32, ctypes.c_void_p
)
"""GenieDialog_TokenQueryCallback_t: ids, their number, the sentence code, and the query's own pointer."""

COMPLETE = 0
"""GENIE_DIALOG_SENTENCE_COMPLETE: the ids are a whole prompt."""

ABORT = 1
"""GENIE_DIALOG_ACTION_ABORT: ends the current query."""

SUCCESS, ABORTED, CONTEXT_EXCEEDED = 0, 1, 4
"""GENIE_STATUS_SUCCESS, GENIE_STATUS_WARNING_ABORTED and GENIE_STATUS_WARNING_CONTEXT_EXCEEDED of GenieCommon.h."""

STATUSES: Mapping[int, tuple[str, str]] = {
    ABORTED: ("WARNING_ABORTED", "the query was aborted"),
    2: ("WARNING_BOUND_HANDLE", "the handle is still bound"),
    3: ("WARNING_PAUSED", "the query was paused"),
    CONTEXT_EXCEEDED: ("WARNING_CONTEXT_EXCEEDED", "prompt and answer do not fit into the context"),
    -1: ("ERROR_GENERAL", "a failure without a further reason"),
    -2: ("ERROR_INVALID_ARGUMENT", "an argument is invalid"),
    -3: ("ERROR_MEM_ALLOC", "memory could not be allocated"),
    -4: ("ERROR_INVALID_CONFIG", "an entry of the configuration is invalid"),
    -5: ("ERROR_INVALID_HANDLE", "the handle is invalid"),
    -6: ("ERROR_QUERY_FAILED", "the query failed"),
    -7: ("ERROR_JSON_FORMAT", "the configuration is no JSON"),
    -8: ("ERROR_JSON_SCHEMA", "the configuration lacks an entry, or has an unknown one"),
    -9: ("ERROR_JSON_VALUE", "an entry of the configuration has an unsupported value"),
    -10: ("ERROR_GENERATE_FAILED", "generation failed"),
    -11: ("ERROR_GET_HANDLE_FAILED", "no handle could be given"),
    -12: ("ERROR_APPLY_CONFIG_FAILED", "the configuration could not be applied"),
    -13: ("ERROR_SET_PARAMS_FAILED", "a parameter could not be set"),
    -14: ("ERROR_BOUND_HANDLE", "the handle is still bound"),
}
"""Names, without ``GENIE_STATUS_``, and meanings of the status codes of GenieCommon.h."""

REJECTIONS = frozenset({-4, -7, -8, -9})
"""Those by which Genie rejects a configuration."""


def described(status: int) -> str:
    """A status in words: ``"-8 (ERROR_JSON_SCHEMA: the configuration lacks an entry, or has an unknown one)"``."""
    name, meaning = STATUSES.get(status, ("unknown", "not among those of the header"))
    return f"{status} ({name}: {meaning})"
