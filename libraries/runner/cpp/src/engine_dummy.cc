// An engine without a model, for tests and for the cost of the runner itself: it spins, and its outputs are a fixed
// function of its inputs.
#include <algorithm>
#include <chrono>
#include <vector>

#include "engine.h"
#include "failure.h"
#include "fields.h"
#include "generator.h"

namespace runner {
namespace {

void spin(std::uint64_t count) {
  for (std::uint64_t i = 0; i < count; ++i) asm volatile("" ::: "memory");
}

// Calibrated once, so that nothing reads a clock while a query runs.
std::uint64_t spins_of(double nanoseconds) {
  if (nanoseconds <= 0.0) return 0;
  constexpr std::uint64_t kCount = 2000000;
  double best = 1e18;
  for (int i = 0; i < 5; ++i) {
    const auto start = std::chrono::steady_clock::now();
    spin(kCount);
    best = std::min(best, std::chrono::duration<double, std::nano>(std::chrono::steady_clock::now() - start).count());
  }
  return static_cast<std::uint64_t>(nanoseconds * kCount / best);
}

// FNV-1a, 64 bits.
std::uint64_t hash(const std::uint8_t* data, std::size_t size, std::uint64_t value) {
  for (std::size_t i = 0; i < size; ++i) value = (value ^ data[i]) * 0x100000001b3ull;
  return value;
}

struct Settings {
  std::uint64_t spins = 0;
  std::int64_t fail_at = -1;
  bool drift = false;
  bool checksum = true;
  std::uint64_t tokens = ~0ull, reports = 1;
  bool late = false;
};

constexpr std::uint64_t kVocabulary = 1000;

class Dummy : public Engine {
 public:
  Dummy(const Plan& plan, Settings settings)
      : inputs_(plan.inputs), outputs_(plan.outputs), settings_(settings), in_(inputs_, kAlignment), out_(outputs_, 8) {
    memory_.resize(static_cast<std::size_t>(plan.batch) * out_.stride / 8);
  }
  const Tensors& inputs() const override { return inputs_; }
  const Tensors& outputs() const override { return outputs_; }

  void run(const std::uint8_t* const* samples, std::size_t count) override {
    if (settings_.fail_at >= 0 && runs_++ == settings_.fail_at)
      throw Failure("backend-failed", kBackend, "the dummy engine fails at run " + std::to_string(settings_.fail_at),
                    "leave out its option fail_at");
    spin(settings_.spins);
    if (!settings_.checksum) return;
    for (std::size_t slot = 0; slot < count; ++slot) {
      std::uint64_t value = 0xcbf29ce484222325ull;
      for (std::size_t i = 0; i < inputs_.size(); ++i) value = hash(samples[slot] + in_.offsets[i], inputs_[i].bytes, value);
      if (settings_.drift) value += static_cast<std::uint64_t>(++drifted_);
      std::uint64_t* record = memory_.data() + slot * (out_.stride / 8);
      for (std::size_t word = 0; word < out_.stride / 8; ++word) record[word] = value;
    }
  }

  const std::uint8_t* output(std::size_t slot, std::size_t index) const override {
    return reinterpret_cast<const std::uint8_t*>(memory_.data() + slot * (out_.stride / 8)) + out_.offsets[index];
  }

 private:
  const Tensors inputs_, outputs_;
  const Settings settings_;
  const Layout in_, out_;
  std::vector<std::uint64_t> memory_;
  std::int64_t runs_ = 0, drifted_ = 0;
};

// A stand-in for a language model, for tests: each token is a hash of those before it, and takes as long as a query.
class DummyGenerator : public Generator {
 public:
  DummyGenerator(const Plan& plan, const Settings& settings)
      : Generator(plan, plan.generations->context), settings_(settings) {}

 private:
  std::size_t generate(const std::int32_t* prompt, std::size_t size, std::int32_t* answer, std::size_t limit) override {
    std::uint64_t value = hash(reinterpret_cast<const std::uint8_t*>(prompt), size * sizeof *prompt, 0xcbf29ce484222325ull);
    if (settings_.drift) value += ++drifted_;
    const std::size_t most = std::min<std::size_t>(limit, settings_.tokens);
    const std::size_t reported = settings_.late ? most : settings_.reports;
    for (std::size_t count = 0; count < most;) {
      spin(settings_.spins);
      answer[count] = static_cast<std::int32_t>(value % kVocabulary);
      if (count + 1 == reported) first_token();
      if (stops(answer[count++])) return count;
      value = hash(reinterpret_cast<const std::uint8_t*>(&value), sizeof value, value);
    }
    return most;
  }

  const Settings settings_;
  std::uint64_t drifted_ = 0;
};

class DummyRuntime : public Runtime {
 public:
  explicit DummyRuntime(const Plan& plan) : plan_(plan) {
    Fields options(plan.options, "options", "runner-option");
    // A number of spins makes the same work in every process; a latency is calibrated in each.
    settings_.spins = options.has("spins") ? options.count("spins", 0, ~0ull >> 1)
                                           : spins_of(options.number("latency_ns", 0.0, 1000.0));
    settings_.fail_at = static_cast<std::int64_t>(options.count("fail_at", 0, 1u << 31, ~0ull));
    settings_.drift = options.flag("drift", false);
    settings_.checksum = options.flag("checksum", true);
    settings_.tokens = options.count("tokens", 0, 1u << 20, ~0ull);
    settings_.reports = options.count("reports", 0, 1u << 20, 1);
    settings_.late = options.flag("late", false);
    options.no_more();
  }
  nlohmann::json facts() const override {
    return {{"runtime", "dummy (computes nothing)"}, {"versions", nlohmann::json::object()}};
  }
  nlohmann::json placement() const override { return {{"accelerator", "cpu"}, {"claim", "computes nothing"}}; }
  std::unique_ptr<Engine> load() override {
    if (plan_.inputs.empty() || plan_.outputs.empty())
      throw Failure("runner-plan", kUsage, "the dummy engine has no model: the runner-plan lacks inputs or outputs");
    if (plan_.generations) return std::make_unique<DummyGenerator>(plan_, settings_);
    return std::make_unique<Dummy>(plan_, settings_);
  }

 private:
  const Plan plan_;
  Settings settings_;
};

}  // namespace

std::unique_ptr<Runtime> open_dummy(const Plan& plan) { return std::make_unique<DummyRuntime>(plan); }

}  // namespace runner
