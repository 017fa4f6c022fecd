#include "performance.h"

#include <atomic>
#include <chrono>
#include <cmath>
#include <set>

#include "answers.h"
#include "latencies.h"
#include "loadgen_run.h"
#include "memory.h"
#include "settings.h"

namespace runner {
namespace {

using Clock = std::chrono::steady_clock;

struct Share {
  std::size_t samples = 0;
  double busy_s = 0.0;
};

// One query after another on the first session; the first and the last answer are kept.
class OneByOne : public Sut {
 public:
  OneByOne(Channel& channel, Sessions& sessions, const SampleStore& store)
      : Sut(channel), sessions_(sessions), store_(store) {}

  std::vector<Answered> answered() const { return {first_, {{last_}, sessions_.outputs_of(0, 1)}}; }

 protected:
  const std::uint8_t* begin(const mlperf::QuerySample& sample) { return store_.at(last_ = sample.index); }
  // The query is complete, so that copying its outputs is not timed.
  void end() {
    if (first_.indices.empty()) first_ = {{last_}, sessions_.outputs_of(0, 1)};
  }

  const Sessions& sessions_;

 private:
  const SampleStore& store_;
  std::size_t last_ = 0;
  Answered first_;
};

// Nothing is allocated, and no clock is read but LoadGen's.
class SingleStream : public OneByOne {
 public:
  SingleStream(Channel& channel, Sessions& sessions, const SampleStore& store)
      : OneByOne(channel, sessions, store), engine_(sessions.at(0)) {}

 private:
  void answer(const std::vector<mlperf::QuerySample>& samples) override {
    const std::uint8_t* sample = begin(samples[0]);
    engine_.run(&sample, 1);
    mlperf::QuerySampleResponse response{samples[0].id, 0, 0};
    mlperf::QuerySamplesComplete(&response, 1);
    end();
  }

  Engine& engine_;
};

// The same for a language model, whose first tokens and numbers of tokens LoadGen gets.
class TokenStream : public OneByOne {
 public:
  TokenStream(Channel& channel, Sessions& sessions, const SampleStore& store)
      : OneByOne(channel, sessions, store), generator_(*sessions.generator(0)) {
    generator_.on_first_token([this] { mlperf::FirstTokenComplete(&response_, 1); });
  }
  ~TokenStream() override { generator_.on_first_token({}); }

 private:
  void answer(const std::vector<mlperf::QuerySample>& samples) override {
    const std::uint8_t* sample = begin(samples[0]);
    response_ = {samples[0].id, 0, 0};
    generator_.run(&sample, 1);
    const Counts& counts = generator_.counts();
    // The response is the ids, as the task's: LoadGen copies it if it logs it.
    response_.data = reinterpret_cast<std::uintptr_t>(generator_.output(0, 0) + sizeof(std::int32_t));
    response_.size = counts.tokens * sizeof(std::int32_t);
    if (!counts.tokens) mlperf::FirstTokenComplete(&response_, 1);  // LoadGen completes no query without it
    // LoadGen divides by this number minus 1 (logging.cc, RecordSampleCompletion).
    response_.n_tokens = std::max<std::int64_t>(2, static_cast<std::int64_t>(counts.tokens));
    Answers::of_process().add(counts);
    mlperf::QuerySamplesComplete(&response_, 1);
    end();
  }

  Generator& generator_;
  mlperf::QuerySampleResponse response_;
};

// One query with all samples; each session takes the next batch when it is free.
class Offline : public Sut {
 public:
  Offline(Channel& channel, Sessions& sessions, const SampleStore& store, std::size_t batch)
      : Sut(channel), sessions_(sessions), store_(store), batch_(batch), shares_(sessions.count()),
        first_(sessions.count()), last_(sessions.count()) {}

  const std::vector<Share>& shares() const { return shares_; }
  const Answered& first(std::size_t session) const { return first_[session]; }
  const Answered& last(std::size_t session) const { return last_[session]; }

 private:
  void answer(const std::vector<mlperf::QuerySample>& samples) override {
    next_ = 0;
    in_threads(sessions_.count(), [&](std::size_t session) { work(session, samples); });
  }

  void work(std::size_t session, const std::vector<mlperf::QuerySample>& samples) {
    Engine& engine = sessions_.at(session);
    std::vector<const std::uint8_t*> memory(batch_);
    std::vector<mlperf::QuerySampleResponse> responses;
    for (std::size_t i = 0; i < batch_; ++i) responses.push_back({0, 0, 0});
    const auto start = Clock::now();
    std::size_t begin = 0, last = samples.size(), done = 0;
    while ((begin = next_.fetch_add(batch_, std::memory_order_relaxed)) < samples.size()) {
      const std::size_t count = std::min(batch_, samples.size() - begin);
      for (std::size_t i = 0; i < count; ++i) {
        memory[i] = store_.at(samples[begin + i].index);
        responses[i].id = samples[begin + i].id;
      }
      engine.run(memory.data(), count);
      if (const Generator* generator = sessions_.generator(session)) Answers::of_process().add(generator->counts());
      mlperf::QuerySamplesComplete(responses.data(), count);
      if (!done) first_[session] = call(session, samples, begin, count);
      last = begin;
      done += count;
    }
    shares_[session] = {done, seconds_since(start)};
    if (done) last_[session] = call(session, samples, last, std::min(batch_, samples.size() - last));
  }

  Answered call(std::size_t session, const std::vector<mlperf::QuerySample>& samples, std::size_t begin,
                std::size_t count) const {
    Answered found;
    for (std::size_t i = 0; i < count; ++i) found.indices.push_back(samples[begin + i].index);
    found.outputs = sessions_.outputs_of(session, count);
    return found;
  }

  const Sessions& sessions_;
  const SampleStore& store_;
  const std::size_t batch_;
  std::atomic<std::size_t> next_{0};
  std::vector<Share> shares_;
  std::vector<Answered> first_, last_;
};

// For how many answers memory is allocated before the run: as many as LoadGen prepares, up to a bound.
std::size_t reserved(const mlperf::TestSettings& settings, bool single) {
  constexpr double kMost = 1u << 26;
  const double least = static_cast<double>(settings.min_query_count);
  if (!single) return static_cast<std::size_t>(std::min(kMost, least));
  const double prepared =
      2.2e6 * static_cast<double>(settings.min_duration_ms) / settings.single_stream_expected_latency_ns;
  return static_cast<std::size_t>(std::min(kMost, prepared + least));
}

// Repeats calls of the timed run. They were given in it, so the outputs must be the same.
void answer_again(const Plan& plan, const Sessions& sessions, const SampleStore& store,
                  const std::vector<std::pair<std::size_t, Answered>>& calls, Channel& channel) {
  std::size_t compared = 0;
  for (const auto& [session, answered] : calls) {
    if (!sessions.same(session, store, answered) && plan.exact)
      throw Failure("outputs-changed", kBackend,
                    "the outputs for sample " + std::to_string(answered.indices[0]) +
                        " after the timed run differ from those in it (session " + std::to_string(session + 1) + ")",
                    "this is a defect of the runtime; report it to its vendor");
    compared += answered.indices.size();
  }
  channel.measured("repeated", {{"responses", compared}, {"variation", plan.exact ? 0.0 : 0.1}});
}

}  // namespace

void measure_performance(const Plan& plan, Sessions& sessions, Channel& channel, Watch& watch) {
  const Performance& what = plan.performance;
  mlperf::TestSettings settings =
      test_settings(what.settings, mlperf::TestMode::PerformanceOnly, plan.generations.has_value());
  const bool single = settings.scenario == mlperf::TestScenario::SingleStream, stream = single && plan.generations;
  if (plan.generations) sessions.use(plan.generations->performance);
  settings.use_token_latencies = stream;  // without tokens, LoadGen crashes with it
  if (single && (plan.sessions != 1 || plan.batch != 1))
    throw Failure("runner-plan", kUsage, "single-stream runs one sample at a time on one session");
  SampleStore store(what.samples, what.total, sessions.first().inputs());
  watch.phase("encode");
  store.load(Indices(what.warm_up.begin(), what.warm_up.end()));
  watch.phase("warm-up");
  std::size_t calls = 0;
  const double best =
      sessions.warm_up(store, Indices(what.warm_up.begin(), what.warm_up.end()), plan.warm_up_s, !single, calls);
  const double expected = what.expected_latency_ns > 0.0 ? std::min(best, what.expected_latency_ns) : best;
  if (!what.settings.contains("single_stream_expected_latency_ns"))
    settings.single_stream_expected_latency_ns = std::max(1.0, std::round(std::max(expected, what.expected_floor_ns)));
  if (!what.settings.contains("offline_expected_qps"))
    settings.offline_expected_qps = plan.sessions * plan.batch * 1e9 / expected;
  channel.measured("runner_warmup", {{"best_ns", best}, {"calls", calls}, {"expected_latency_ns", expected}});

  Latencies& latencies = Latencies::of_process();
  const std::size_t queries = reserved(settings, single);
  if (plan.generations) Answers::of_process().begin(queries, single);
  latencies.begin(queries);
  double load_s = 0.0;
  Qsl samples(channel, what.total, what.count, [&](const std::vector<mlperf::QuerySampleIndex>& indices) {
    const auto start = Clock::now();
    watch.phase("encode");
    store.load(indices);
    load_s = seconds_since(start);
    watch.phase("performance", settings.min_query_count, [&] { return latencies.count(); },
                static_cast<double>(settings.min_duration_ms) / 1000.0);
    watch.begin_timed();
  });
  std::vector<std::pair<std::size_t, Answered>> answered;
  nlohmann::json shares = nlohmann::json::array(), seen;
  if (single) {
    const std::unique_ptr<OneByOne> sut = stream ? std::unique_ptr<OneByOne>(new TokenStream(channel, sessions, store))
                                                 : std::make_unique<SingleStream>(channel, sessions, store);
    run_loadgen(*sut, samples, settings, what.logs);
    seen = watch.end_timed();
    for (const Answered& each : sut->answered()) answered.emplace_back(0, each);
  } else {
    Offline offline(channel, sessions, store, static_cast<std::size_t>(plan.batch));
    run_loadgen(offline, samples, settings, what.logs);
    seen = watch.end_timed();
    for (std::size_t session = 0; session < sessions.count(); ++session) {
      const Share& share = offline.shares()[session];
      shares.push_back({{"samples", share.samples}, {"busy_s", share.busy_s}});
      if (!share.samples) continue;
      answered.emplace_back(session, offline.last(session));
      answered.emplace_back(session, offline.first(session));
    }
  }
  nlohmann::json reports = nlohmann::json::array();
  for (std::size_t session = 0; session < sessions.count(); ++session) reports.push_back(sessions.at(session).report());
  if (!reports[0].is_null()) channel.measured("runner_sessions", {{"reports", reports}});
  channel.measured("runner_performance", {{"samples", latencies.count()},
                                          {"latencies", latencies.count()},
                                          {"expected_latency_ns", expected},
                                          {"shares", shares},
                                          {"latency_source", "load generator"},
                                          {"load_samples_s", load_s},
                                          {"peak_bytes", peak_bytes()}});
  channel.measured("interruptions", seen);
  answer_again(plan, sessions, store, answered, channel);
  if (stream) check_first_token(*sessions.generator(0), store.at(answered[0].second.indices[0]));
}

}  // namespace runner
