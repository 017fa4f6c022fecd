"""``mlperf-mobile audit``: measures a result again, as it was measured, and tells whether its claim holds."""

from __future__ import annotations

import argparse
import json
import sys
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING

from mlperf_mobile.errors import ExitCode, UsageError

if TYPE_CHECKING:
    from mlperf_mobile.performance_score import PerformanceScore
    from mlperf_mobile.plan import Plan
    from mlperf_mobile.sessions.estimate import Estimate
    from mlperf_mobile.sessions.run import Listen

_EPILOG = """The rules of MLPerf Mobile: at most 5 tries, 5 minutes between them; the audit passes as soon as one try
reaches 95 % of the claim. Every try writes a result of its own.
"""


def add(command: argparse.ArgumentParser) -> None:
    """Add its arguments to the parser of the command."""
    command.description = "Measure a result again on this device, to see whether its claim holds."
    command.epilog = _EPILOG
    command.add_argument("result", metavar="RESULT", type=Path, help="the folder of a performance run")
    command.add_argument("--tries", metavar="N", type=int, default=5, help="at most this many runs (default: 5)")
    command.add_argument(
        "--cooldown-s", metavar="S", type=float, default=300.0, help="seconds between runs (default: 300)"
    )
    command.add_argument("--output", metavar="DIR", type=Path, help="folder for results; that of the result by default")
    command.add_argument("--json", action="store_true", help="print JSON")
    command.add_argument("--quiet", action="store_true", help="no progress")
    command.set_defaults(handler=handle)


def handle(args: argparse.Namespace) -> int:
    """Run the command; exit code 1 when the claim does not hold."""
    from mlperf_mobile.results import store
    from mlperf_mobile.sessions import repeat
    from mlperf_mobile.sessions.run import Sitting
    from mlperf_mobile.sessions.session import Session, again
    from mlperf_mobile.terminal.progress import listener
    from mlperf_mobile.terms import Cooldown, Mode

    if not 1 <= args.tries <= repeat.TRIES or not 0 <= args.cooldown_s <= 86400:
        raise UsageError("bad-value", f"--tries is 1 to {repeat.TRIES}, --cooldown-s no less than 0", "see --help")
    claimed = store.read(args.result)
    claim = repeat.claim_of(claimed)
    plan = store.read_plan(args.result).model_copy(update={"mode": Mode.PERFORMANCE, "session": None})
    output = args.output or args.result.resolve().parent
    session = Session.of([again(plan) for _ in range(args.tries)], output, "audit", Cooldown.FIXED, args.cooldown_s)

    def show(plan: Plan, place: int, runs: int, left: Estimate) -> AbstractContextManager[Listen]:
        return listener(f"audit {plan.benchmark} (try {place} of {runs})", quiet=args.quiet)

    scores: list[PerformanceScore] = []
    tries = []
    for result in Sitting(session, show, keep=False).tries():
        value = repeat.score(result) if result.valid or not result.error else None
        scores += [value] if value and value.kind == claim.kind else []
        tries.append({"directory": result.directory, "valid": result.valid, "score": value.value if value else None})
        if not args.json:
            print(f"try {len(tries)}: {value.text if value else result.verdict}  {result.directory}")
        if result.error or (scores and repeat.audited(claim, scores).ok):
            break
    rule = repeat.audited(claim, scores)
    record = {
        "claim": claim.value,
        "unit": claim.unit,
        "score": claim.name,
        "higher_is_better": claim.higher_is_better,
        "result": str(args.result),
        "tries": tries,
        "rule": rule.model_dump(),
    }
    if args.json:
        print(json.dumps({"schema": 1, "audit": record}, indent=2))
    else:
        best = repeat.best_of(scores)
        found = f"{best.text}, {100 * best.speed_against(claim):.1f} % as fast" if best else "nothing"
        print(f"claim {claim.text} ({claim.name}); the best of {len(tries)}: {found}; 95 % is required")
        print("PASSED" if rule.ok else "FAILED: the auditor's number counts, or a new one at most 5 % above it")
    sys.stdout.flush()
    return ExitCode.OK if rule.ok else ExitCode.NOT_VALID
