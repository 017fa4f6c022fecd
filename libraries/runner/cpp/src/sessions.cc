#include "sessions.h"

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <cstring>
#include <exception>
#include <mutex>
#include <thread>

#include "failure.h"

namespace runner {

constexpr std::size_t kFewestCalls = 3;
constexpr std::size_t kWarmUpTokens = 8;  // whole answers may take minutes
// The whole answers to average, and for how long; of fewer, LoadGen is told a smaller share, lest it runs out of samples.
constexpr std::size_t kWholeAnswers = 8;
constexpr double kLongestNs = 30e9, kShare = 0.5;

namespace {

// A thread that waits for work. It never ends: LoadGen frees the log buffer of a thread that ends, although it may still
// have to look at it (logging.cc, `threads_to_swap_deferred_`), and then crashes.
class Hand {
 public:
  Hand() {
    std::thread([this] { work(); }).detach();
  }

  void begin(std::function<void()> job) {
    const std::lock_guard<std::mutex> lock(mutex_);
    job_ = std::move(job);
    changed_.notify_all();
  }

  void wait() {
    std::unique_lock<std::mutex> lock(mutex_);
    changed_.wait(lock, [this] { return !job_; });
  }

 private:
  [[noreturn]] void work() {
    std::unique_lock<std::mutex> lock(mutex_);
    for (;;) {
      changed_.wait(lock, [this] { return static_cast<bool>(job_); });
      lock.unlock();
      job_();
      lock.lock();
      job_ = nullptr;
      changed_.notify_all();
    }
  }

  std::mutex mutex_;
  std::condition_variable changed_;
  std::function<void()> job_;
};

Hand& hand(std::size_t session) {
  static auto& hands = *new std::vector<std::unique_ptr<Hand>>;  // never destroyed: the threads still use them
  while (hands.size() <= session) hands.push_back(std::make_unique<Hand>());
  return *hands[session];
}

}  // namespace

void in_threads(std::size_t count, const std::function<void(std::size_t)>& work) {
  if (count == 1) return work(0);
  std::exception_ptr failed;
  std::mutex mutex;
  for (std::size_t session = 0; session < count; ++session) {
    hand(session).begin([&, session] {
      try {
        work(session);
      } catch (...) {
        const std::lock_guard<std::mutex> lock(mutex);
        if (!failed) failed = std::current_exception();
      }
    });
  }
  for (std::size_t session = 0; session < count; ++session) hand(session).wait();
  if (failed) std::rethrow_exception(failed);
}

void compare(const Tensors& model, const Tensors& plan, const char* kind) {
  const auto differ = [&](const std::string& what) {
    throw Failure("model-tensors", kModel, what, "plan again with this model and this device's runtime");
  };
  if (model.size() != plan.size())
    differ("the model has " + std::to_string(model.size()) + " " + kind + "s on this device, not " +
           std::to_string(plan.size()));
  for (std::size_t i = 0; i < model.size(); ++i) {
    if (model[i].dtype != plan[i].dtype || model[i].shape != plan[i].shape || model[i].bytes != plan[i].bytes)
      differ(std::string(kind) + " " + std::to_string(i) + " of the model is " + text(model[i]) +
             " on this device, not " + text(plan[i]));
  }
}

Sessions::Sessions(Runtime& runtime, const Plan& plan)
    : batch_(static_cast<std::size_t>(plan.batch)), exact_(plan.exact) {
  for (int i = 0; i < plan.sessions; ++i) {
    engines_.push_back(runtime.load());
    compare(engines_.back()->inputs(), plan.inputs, "input");
    compare(engines_.back()->outputs(), plan.outputs, "output");
    if (plan.generations) {
      auto* generator = dynamic_cast<Generator*>(engines_.back().get());
      if (!generator)
        throw Failure("runner-engine", kBackend, "the engine " + plan.engine + " does not run language models");
      generators_.push_back(generator);
    }
  }
}

void Sessions::use(const Generation& how) {
  for (Generator* each : generators_) each->use(how);
}

std::vector<std::uint8_t> Sessions::outputs_of(std::size_t session, std::size_t count) const {
  const Tensors& tensors = at(session).outputs();
  std::vector<std::uint8_t> found;
  for (std::size_t slot = 0; slot < count; ++slot) {
    for (std::size_t i = 0; i < tensors.size(); ++i) {
      const std::uint8_t* data = at(session).output(slot, i);
      found.insert(found.end(), data, data + tensors[i].bytes);
    }
  }
  return found;
}

std::vector<std::uint8_t> Sessions::answer(std::size_t session, const SampleStore& store,
                                           const Indices& indices) const {
  std::vector<const std::uint8_t*> samples;
  for (const std::size_t index : indices) samples.push_back(store.at(index));
  at(session).run(samples.data(), samples.size());
  return outputs_of(session, samples.size());
}

bool Sessions::same(std::size_t session, const SampleStore& store, const Answered& answered) const {
  return answer(session, store, answered.indices) == answered.outputs;
}

double Sessions::warm_up(const SampleStore& store, const Indices& samples, double seconds, bool whole,
                         std::size_t& calls) {
  using Clock = std::chrono::steady_clock;
  std::vector<double> best(count(), 1e18);
  std::vector<std::size_t> made(count(), 0);
  in_threads(count(), [&](std::size_t session) {
    Indices one, other;
    for (std::size_t slot = 0; slot < batch_; ++slot) {
      one.push_back(samples[slot % samples.size()]);
      other.push_back(samples[samples.size() - 1 - slot % samples.size()]);
    }
    Generator* generator = this->generator(session);
    const auto limit = [&](std::size_t tokens) {
      if (generator) generator->limit(tokens);
    };
    limit(kWarmUpTokens);
    const std::vector<std::uint8_t> before = answer(session, store, one);
    std::vector<const std::uint8_t*> memory;
    for (const std::size_t index : one) memory.push_back(store.at(index));
    limit(1);  // no query takes less
    const auto end = Clock::now() + std::chrono::duration<double>(seconds);
    do {
      const auto start = Clock::now();
      at(session).run(memory.data(), memory.size());
      best[session] =
          std::min(best[session], std::chrono::duration<double, std::nano>(Clock::now() - start).count());
    } while (++made[session] < kFewestCalls || Clock::now() < end);
    limit(kWarmUpTokens);
    answer(session, store, other);
    if (exact_ && answer(session, store, one) != before)
      throw Failure("outputs-changed", kBackend,
                    "the outputs for sample " + std::to_string(one[0]) + " differ between calls (session " +
                        std::to_string(session + 1) + ", at the end of the warm-up)",
                    "this is a defect of the runtime; report it to its vendor");
    limit(0);
    if (!whole || !generator) return;
    // Between the shortest and the longest prompt are those to answer completely.
    const std::size_t first = samples.size() > 2 ? 1 : 0, size = samples.size() - 2 * first;
    const auto start = Clock::now();
    double ns = 0.0;
    std::size_t answers = 0;
    for (; answers < kWholeAnswers && ns <= kLongestNs; ++answers) {
      const std::uint8_t* sample = store.at(samples[first + answers % size]);
      at(session).run(&sample, 1);
      ns = std::chrono::duration<double, std::nano>(Clock::now() - start).count();
    }
    made[session] += answers;
    best[session] = std::max(best[session], ns * kShare / static_cast<double>(kWholeAnswers));
  });
  calls = 0;
  for (const std::size_t each : made) calls += each;
  return std::max(1.0, *std::min_element(best.begin(), best.end()));
}

}  // namespace runner
