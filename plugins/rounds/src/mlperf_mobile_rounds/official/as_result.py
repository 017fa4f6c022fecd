"""One result of this program out of what is known of an official one: the app's record, LoadGen's logs, or both."""

from __future__ import annotations

import hashlib
import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from mlperf_mobile.config.suites import SEEDS
from mlperf_mobile.results.accuracy import Accuracy, quality_rule
from mlperf_mobile.results.measured import Performance
from mlperf_mobile.results.model import SCHEMA, ModelFacts, Result, Status
from mlperf_mobile.results.parts import LARGEST
from mlperf_mobile.results.rule import RuleResult
from mlperf_mobile_rounds.official import imported_rules, imported_tokens, text_accuracy, verdict
from mlperf_mobile_rounds.official.app_results import OFFLINE, AppResult, Run
from mlperf_mobile_rounds.official.checks.context import Context, FileOf, LoggedRun
from mlperf_mobile_rounds.official.loadgen_logs import DetailLog
from mlperf_mobile_rounds.official.rounds import Target
from mlperf_mobile_rounds.official.submission import System

_SCENARIOS = {OFFLINE: "offline", verdict.SINGLE_STREAM: "single-stream"}
_UNKNOWN = "unknown"
_LATENCIES = {
    "p50": "50.00_percentile",
    "p90": "90.00_percentile",
    "p95": "95.00_percentile",
    "p97": "97.00_percentile",
    "p99": "99.00_percentile",
    "p99_9": "99.90_percentile",
    "mean": "mean",
    "min": "min",
    "max": "max",
}


class ResultBuilder:
    """Builds one result from the app's record, the logs, or both."""

    def __init__(
        self,
        context: Context,
        system: System,
        benchmark: str,
        scenario: str,
        file: FileOf | None,
        app: AppResult | None,
        performance: LoggedRun | None,
        accuracy: LoggedRun | None,
    ) -> None:
        self.context, self.system, self.benchmark, self.scenario = context, system, benchmark, scenario
        self.file, self.app = file, app
        self.logged = performance if performance and performance.verdict else None
        self.answers = accuracy
        self.log: DetailLog | None = self.logged.detail if self.logged else None
        self.required = context.required(benchmark)
        self.round = context.round.name if context.round else None
        no_accuracy = app is None or app.accuracy is None or app.accuracy.accuracy is None
        self.padded = False
        """Whether the app's score counts samples that only fill the last batch."""
        self.beside = text_accuracy.of(accuracy) if accuracy and no_accuracy else None

    def make(self) -> Result:
        app, required = self.app, self.required
        performance, rules = self._performance()
        accuracy = self._accuracy()
        if accuracy and (rule := quality_rule(accuracy, None)):
            rules.append(rule)
        if performance is None and accuracy is None:
            rules.append(RuleResult(name="completed", ok=False, observed="nothing measured", required="completed"))
        runs = [run for run in (app.performance, app.accuracy) if run] if app else []
        mode = "both" if performance and accuracy else "performance" if performance else "accuracy"
        fields: dict[str, Any] = {
            "schema": SCHEMA,
            "run_id": self._name(),
            "created": self._created(runs),
            "status": Status.COMPLETED,
            "valid": bool(rules) and all(rule.ok for rule in rules),
            "task": required.task if required else self.benchmark,
            "benchmark": self.benchmark,
            "suite": self.round,
            "model": self._model(),
            "dataset": (app.accuracy.dataset if app and app.accuracy else "")
            or (required.dataset if required else _UNKNOWN),
            "performance_dataset": (app.performance.dataset or None) if app and app.performance else None,
            "backend": (app.backend or app.framework if app else "") or _UNKNOWN,
            "runtime": " ".join(filter(None, (app.framework, app.delegate))) or None if app else None,
            "accelerator": (app.accelerator if app else "") or _UNKNOWN,
            "scenario": _SCENARIOS.get(self.scenario, self.scenario),
            "mode": mode,
            "rule_set": "normal",
            "load": self._load(),
            "rules": rules,
            "performance": performance,
            "accuracy": accuracy,
            "placement": None,
            "system": None,
            "versions": self._versions(),
            "environment": self._environment(),
            "error": None,
            "directory": "",
        }
        fields["origin"] = self._origin()
        return Result.model_validate(fields)

    def _name(self) -> str:
        """A name that is the same every time: ``official-v3.1-Samsung-exynos2400-object_detection-single-stream``."""
        parts = ("official", self.round, self.system.division, self.system.submitter, self._device(), self.benchmark)
        scenario = "offline" if self.scenario == OFFLINE and "offline" not in self.benchmark else ""
        text = "-".join(part for part in (*parts, scenario) if part)
        return re.sub(r"[^A-Za-z0-9._+-]", "_", text)[:150].strip(".")

    def _device(self) -> str:
        """The submitter's name of the device; of the only system that is described, if the results do not say."""
        if self.system.device:
            return self.system.device
        same = [
            d.system.device
            for d in self.context.submission.systems
            if (d.system.division, d.system.submitter) == (self.system.division, self.system.submitter)
        ]
        if len(same) == 1:
            return same[0]
        facts = dict(self.file.content.device) if self.file else {}
        return facts.get("model_code") or facts.get("model_name") or facts.get("model") or ""

    def _created(self, runs: list[Run]) -> str:
        """When the timed run began, by the log or the app; the app does not name its time zone."""
        log = self.log or (self.answers.detail if self.answers else None)
        if log and (when := verdict.wall_clock(log.text("test_datetime"))):
            return when.replace(tzinfo=UTC).isoformat()
        for text in [run.started for run in runs] + [self.file.content.created if self.file else ""]:
            try:
                return datetime.fromisoformat(text or "").isoformat()
            except ValueError:
                continue
        return _UNKNOWN

    def _model(self) -> ModelFacts:
        path = self.app.model_path if self.app else ""
        name = self.required.model if self.required else self.benchmark
        suffix = path.rstrip("]").rpartition(".")[2].lower() if "." in path.rpartition("/")[2] else _UNKNOWN
        return ModelFacts(name=name, path=path or _UNKNOWN, format=suffix[:20])

    def _performance(self) -> tuple[Performance | None, list[RuleResult]]:
        run = self.app.performance if self.app else None
        found, log = (self.logged.verdict if self.logged else None), self.log
        throughput = self._throughput(run)
        if not throughput or throughput <= 0:
            return None, imported_rules.of_app(run, self.benchmark) if run else []
        latency = {
            name: value
            for name, key in _LATENCIES.items()
            if log and (value := log.number(f"result_{key}_latency_ns")) is not None and value >= 0
        }
        if "p90" not in latency and run and run.p90_s:
            latency["p90"] = run.p90_s * 1e9
        tokens = imported_tokens.facts(self.log, found.queries if found else None, run)
        if "p90" not in latency and self.scenario == verdict.SINGLE_STREAM and tokens is None:
            latency["p90"] = 1e9 / throughput
        if "mean" not in latency and run and run.mean_s:
            latency["mean"] = run.mean_s * 1e9
        samples = (found.samples if found else None) or (run.samples if run else None) or 0
        queries = (found.queries if found else None) or (run.queries if run else None)
        queries = queries or (1 if self.scenario == OFFLINE else samples)
        duration = (found.duration_s if found else None) or (run.duration_s if run else None) or 0.0
        loadgen = imported_rules.loadgen(self.log, found, run)
        rules = imported_rules.of_app(run, self.benchmark) if run else []
        rules = imported_rules.of_log(self.log, found) if found else rules
        if tokens is not None:  # the app's score is tokens per second
            throughput = (found.throughput if found else None) or (samples / duration if duration > 0 else 0.0)
        performance = Performance(
            latency_ns=latency,
            throughput=throughput,
            queries=queries,
            samples=samples,
            duration_s=duration,
            loadgen=loadgen,
            score=imported_tokens.score_of(self.scenario, throughput, latency, tokens),
            tokens=tokens,
        )
        return performance, rules

    def _throughput(self, run: Run | None) -> float | None:
        """The published score; offline that of the samples that were requested for, without those that fill a batch."""
        found = self.logged.verdict if self.logged else None
        published = run.throughput if run and run.throughput else None
        if self.scenario != OFFLINE or published is None or run is None:
            return published or (found.score if found else None)
        requested = found.samples if found else self.app.min_samples if self.app else None
        padded = bool(requested and run.samples and run.samples > requested)
        self.padded = padded
        if not padded or not requested or not run.samples:
            return published
        rate = self.log.number("result_samples_per_second") if self.log else None
        return rate or published * requested / run.samples

    def _accuracy(self) -> Accuracy | None:
        run = self.app.accuracy if self.app else None
        given = run.accuracy if run and run.accuracy else self.beside[0] if self.beside else None
        if given is None:
            return None
        target: Target | None = self.required.target if self.required else None
        metric = given.metric or (target.metric if target else _UNKNOWN)
        value = given.normalized * 100 if metric == "PSNR" else given.normalized
        same = target is not None and target.metric == metric
        log = self.answers.detail if self.answers else None
        samples = (run.samples if run else None) or (log.integer("qsl_reported_total_count") if log else None) or 0
        return Accuracy(
            metric=metric,
            value=value,
            reference=target.reference if target and same else None,
            target=target.value if target and same else None,
            passed=value >= target.value if target and same and not target.doubt else None,
            samples=samples,
            duration_s=(run.duration_s if run else None) or 0.0,
            source=target.source if target and same else "",
            unverified=target.doubt if target and same else "",
        )

    def _load(self) -> dict[str, Any]:
        log, app = self.log, self.app
        longest = log.number("requested_max_duration_ms") if log else None
        least = log.number("requested_min_duration_ms") if log else None
        return {
            "min_query_count": (log.integer("requested_min_query_count") if log else None)
            or (app.min_samples if app else None),
            "min_duration_s": _seconds(least / 1000 if least is not None else app.min_duration_s if app else None),
            "max_duration_s": _seconds(longest / 1000 if longest is not None else None),
            "percentile": 0.9,
            "performance_sample_count": log.integer("effective_performance_sample_count") if log else None,
            "expected_latency_ns": log.integer("requested_single_stream_expected_latency_ns") if log else None,
            "batch": app.batch if app else None,
            "seeds": self._seeds(),
        }

    def _seeds(self) -> dict[str, int]:
        if self.log is None:
            return {}
        found = {name: self.log.integer(f"effective_{name}_rng_seed") for name in SEEDS}
        return {name: seed for name, seed in found.items() if seed is not None}

    def _versions(self) -> dict[str, str]:
        found: dict[str, str | None] = {"loadgen": self.log.text("loadgen_version") if self.log else None}
        if self.file:
            found["app"] = self.file.content.app_version
        return {name: text for name, text in found.items() if text}

    def _environment(self) -> dict[str, Any]:
        facts: dict[str, Any] = {"device": self._device(), "submitter": self.system.submitter}
        if self.file:
            facts |= {"platform": self.file.content.platform} | dict(self.file.content.device)
        if self.app:
            facts |= {f"setting.{name}": value for name, value in self.app.settings}
        return {name: value for name, value in facts.items() if value}

    def _origin(self) -> dict[str, Any]:
        """Its source, so that it is not taken for a run of this program."""
        files = [self.file.path] if self.file else []
        files += [run.detail.path for run in (self.logged, self.answers) if run and run.detail]
        files += [self.beside[1]] if self.beside else []
        score = self.app.performance.throughput if self.app and self.app.performance else None
        return {
            "kind": "official",
            "round": self.round,
            "division": self.system.division or None,
            "submitter": self.system.submitter or None,
            "device": self._device() or None,
            "benchmark_id": self.app.benchmark_id if self.app else None,
            "uuid": (self.file.content.uuid or None) if self.file else None,
            "published_score": score,
            "throughput": "1 / mean time per output token, in tokens per second"
            if self.app and self.app.performance and self.app.performance.token_based
            else "1 / p90"
            if self.scenario == verdict.SINGLE_STREAM
            else "of the requested samples; published_score also counts the padding of the last batch"
            if self.padded
            else "as published",
            "files": {str(path): _digest(path) for path in files},
        }


def _digest(path: Path) -> str | None:
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError:
        return None


def _seconds(value: float | None) -> float | None:
    """A duration; None if a result cannot hold it, which the checks of its file report."""
    return value if value is not None and 0 <= value <= LARGEST else None
