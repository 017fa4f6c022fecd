"""``mlperf-mobile audit``: measures a result again with its settings, and reports whether the claim is reproducible."""

from __future__ import annotations

import argparse
import json
import sys
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING

from mlperf_mobile.errors import ExitCode, UsageError

if TYPE_CHECKING:
    from mlperf_mobile.campaigns.estimate import Estimate
    from mlperf_mobile.campaigns.run import Listen
    from mlperf_mobile.plan import Plan

_EPILOG = """The rules of MLPerf Mobile: at most 5 tries, 5 minutes between them; the audit passes as soon as one try
reaches 95 % of the claim. Each try writes a separate result.
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
    command.add_argument("--quiet", action="store_true", help="do not show progress")
    command.set_defaults(handler=handle)


def handle(args: argparse.Namespace) -> int:
    """Run the command; exit code 1 when the claim does not hold."""
    from mlperf_mobile.campaigns.campaign import Campaign, again
    from mlperf_mobile.campaigns.run import CampaignRunner
    from mlperf_mobile.results import store
    from mlperf_mobile.terminal.progress import listener
    from mlperf_mobile.terms import Cooldown, Mode
    from mlperf_mobile_rounds.audit import TRIES, Audit
    from mlperf_mobile_rounds.follows import read_with_warning

    if not 1 <= args.tries <= TRIES or not 0 <= args.cooldown_s <= 86400:
        raise UsageError("bad-value", f"--tries is 1 to {TRIES}, --cooldown-s no less than 0", "see --help")
    audit = Audit.of(read_with_warning(args.result))
    plan = store.read_plan(args.result).model_copy(update={"mode": Mode.PERFORMANCE, "session": None})
    output = args.output or args.result.resolve().parent
    campaign = Campaign.of([again(plan) for _ in range(args.tries)], output, "audit", Cooldown.FIXED, args.cooldown_s)

    def show(plan: Plan, place: int, runs: int, left: Estimate) -> AbstractContextManager[Listen]:
        return listener(f"audit {plan.benchmark} (try {place} of {runs})", quiet=args.quiet)

    for number, one in enumerate(audit.run(CampaignRunner(campaign, show, keep=False).run()), 1):
        if not args.json:
            text = one.score.text if one.score else one.result.verdict
            print(f"try {number}: {text}  {one.result.directory}")
    rule, claim = audit.rule(), audit.claim
    record = {
        "claim": claim.value,
        "unit": claim.unit,
        "score": claim.name,
        "higher_is_better": claim.higher_is_better,
        "result": str(args.result),
        "tries": [one.to_json() for one in audit.tries],
        "rule": rule.model_dump(),
    }
    if args.json:
        print(json.dumps({"schema": 1, "audit": record}, indent=2))
    else:
        best = audit.best
        found = f"{best.text}, {100 * best.speed_against(claim):.1f} % as fast" if best else "nothing"
        print(f"claim {claim.text} ({claim.name}); the best of {len(audit.tries)}: {found}; 95 % is required")
        print("PASSED" if rule.ok else "FAILED: the auditor's number counts, or a new one at most 5 % above it")
    sys.stdout.flush()
    return ExitCode.OK if rule.ok else ExitCode.NOT_VALID
