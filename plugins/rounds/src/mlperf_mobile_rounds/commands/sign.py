"""``mlperf-mobile sign RESULT … --key KEY``: signs results with an SSH key."""

from __future__ import annotations

import argparse
import json
import sys
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any

from mlperf_mobile.errors import ExitCode, MobileError, OutputError

_EXAMPLES = """examples:
  mlperf-mobile sign mlperf-mobile-results/RUN-ID --key ~/.ssh/id_ed25519
  mlperf-mobile sign mlperf-mobile-results/* --key ~/.ssh/id_ed25519.pub    a key in the SSH agent
  mlperf-mobile check mlperf-mobile-results --signers allowed_signers
A result in which 'mlperf-mobile check' finds edits is not signed. The signature is written to result.json.sig.
"""


def add(command: argparse.ArgumentParser) -> None:
    """Add its arguments to the parser of the command."""
    command.description = "Sign results with ssh-keygen -Y sign. 'mlperf-mobile check --signers FILE' verifies them."
    command.epilog = _EXAMPLES
    command.add_argument("results", metavar="RESULT", nargs="+", type=Path, help="result folders")
    command.add_argument(
        "--key",
        metavar="FILE",
        type=Path,
        required=True,
        help="the private key, or the .pub file of a key in the SSH agent",
    )
    command.add_argument("--json", action="store_true", help="print JSON")
    command.set_defaults(handler=handle)


def handle(args: argparse.Namespace) -> int:
    """Run the command: all results are checked before the first is signed."""
    from mlperf_mobile.registry import installed_plugins
    from mlperf_mobile.results import store
    from mlperf_mobile.user_paths import expand
    from mlperf_mobile_rounds import signature
    from mlperf_mobile_rounds.official.checks.own import Checker

    key = expand(args.key, "--key")
    folders = [path.parent if path.name == store.RESULT else path for path in args.results]
    with redirect_stdout(sys.stderr):  # plugin code may print, and standard output is for the signatures
        checker = Checker(installed_plugins())
        for folder in folders:
            _refuse(folder, checker)
    signed = [str(signature.sign(folder, key)) for folder in folders]
    print(json.dumps({"schema": 1, "signed": signed}, indent=2) if args.json else "\n".join(signed))
    return ExitCode.OK


def _refuse(folder: Path, checker: Any) -> None:
    """Raise for a result that does not match its folder; an invalid result may be signed."""
    from mlperf_mobile.results import store
    from mlperf_mobile_rounds.official.findings import Report, Severity

    if not (folder / store.RESULT).is_file():
        raise OutputError("no-result", f"there is no {store.RESULT} in {folder}", "give a result folder")
    report = Report(folder)
    checker.check(folder, report)
    wrong = [each for each in report.findings if each.severity is Severity.ERROR and each.rule != "valid"]
    if wrong:
        first = wrong[0]
        summary = f"{folder} does not match its files: {first.place.text(folder)}: {first.text}"
        hint = "'mlperf-mobile check' shows all findings"
        raise MobileError("result-edited", summary, hint, ExitCode.NOT_VALID)
