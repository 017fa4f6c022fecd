#include "generator.h"

#include <algorithm>
#include <chrono>
#include <string>

#include "failure.h"

namespace runner {
namespace {

using Clock = std::chrono::steady_clock;

constexpr std::size_t kStreamed = 16, kJudged = 2 * kStreamed;
constexpr std::int64_t kEarly = 10, kLeastNs = 1'000'000;
constexpr int kTries = 8;

std::size_t record_of(const Tensors& tensors, const char* kind) {
  const bool fits = tensors.size() == 1 && tensors[0].dtype == "int32" && tensors[0].shape.size() == 1 &&
                    tensors[0].shape[0] > 1;
  if (!fits)
    throw Failure("runner-plan", kUsage,
                  std::string("the runner-plan is wrong: ") + kind + " of a language model are not one int32[1 + n]");
  return static_cast<std::size_t>(tensors[0].shape[0]) - 1;
}

}  // namespace

Generator::Generator(const Plan& plan, std::size_t context)
    : inputs_(plan.inputs), outputs_(plan.outputs), context_(plan.generations->context) {
  const auto& [planned, performance, accuracy] = *plan.generations;
  if (context != planned)
    throw Failure("model-tensors", kModel, "the model has a context of " + std::to_string(context) +
                                               " tokens on this device, not " + std::to_string(planned),
                  "plan again with this model and this device's runtime");
  if (plan.batch != 1) throw Failure("batch-size", kBackend, "a language model answers one prompt at a time", "use batch 1");
  const std::size_t longest = std::min(std::max(performance.most, accuracy.most), planned - 1);
  if (record_of(inputs_, "inputs") != planned || record_of(outputs_, "outputs") < longest)
    throw Failure("runner-plan", kUsage, "the runner-plan is wrong: inputs or outputs have no room for the tokens");
  answer_.resize(static_cast<std::size_t>(outputs_[0].shape[0]));
  how_ = performance;
}

void Generator::run(const std::uint8_t* const* samples, std::size_t) {
  const auto* record = reinterpret_cast<const std::int32_t*>(samples[0]);
  const auto size = static_cast<std::size_t>(record[0]);
  if (record[0] < 1 || size >= context_)
    throw Failure("runner-samples", kData, "a prompt has " + std::to_string(record[0]) + " tokens, and the context " +
                                               std::to_string(context_),
                  "push the samples again");
  const std::size_t most = std::min(how_.most, most_), limit = std::min(most, context_ - size);
  told_ = 0;
  const std::size_t count = generate(record + 1, size, answer_.data() + 1, limit);
  if (count > limit)
    throw Failure("wrong-outputs", kBackend, "an answer has " + std::to_string(count) + " tokens, but at most " +
                                                 std::to_string(limit) + " were requested");
  if (told_ != (count ? 1 : 0))
    throw Failure("first-token", kBackend, "the first token was reported " + std::to_string(told_) +
                                               " times for an answer of " + std::to_string(count) + " tokens",
                  "this is a defect of the runtime; report it to its vendor");
  const auto before = static_cast<std::size_t>(answer_[0]);
  answer_[0] = static_cast<std::int32_t>(count);
  if (before > count) std::fill(answer_.begin() + 1 + count, answer_.begin() + 1 + before, 0);
  counts_ = {size, count, End::kOther};
  if (count && stops(answer_[count])) counts_.end = End::kStopId;
  else if (count >= most) counts_.end = End::kLimit;
  else if (size + count >= context_) counts_.end = End::kContext;
}

void Generator::first_token() {
  if (!told_++ && tell_) tell_();
}

bool Generator::stops(std::int32_t id) const {
  return std::find(how_.stops.begin(), how_.stops.end(), id) != how_.stops.end();
}

void check_first_token(Generator& generator, const std::uint8_t* sample) {
  struct Times {
    std::int64_t first, whole;
    std::size_t tokens;
  };
  const auto answer = [&](std::size_t most) {
    Clock::time_point first{};
    generator.limit(most);
    generator.on_first_token([&] { first = Clock::now(); });
    const auto start = Clock::now();
    generator.run(&sample, 1);
    const auto ns = [&](Clock::time_point end) {
      return std::chrono::duration_cast<std::chrono::nanoseconds>(end - start).count();
    };
    return Times{ns(first), ns(Clock::now()), generator.counts().tokens};
  };
  std::string times;
  for (int i = 0; i < kTries; ++i) {
    const Times many = answer(kJudged), one = answer(1);
    const bool early = one.whole >= kLeastNs && many.first < one.whole / kEarly;
    const bool late = many.tokens >= kStreamed && many.whole >= kLeastNs &&
                      many.first > one.whole + std::max<std::int64_t>(0, many.whole - one.whole) / 2;
    generator.on_first_token({});
    generator.limit(0);
    if (!many.tokens || (!early && !late)) return;
    times = std::to_string(many.first) + " ns of " + std::to_string(many.whole) + " ns, and an answer of one token takes " +
            std::to_string(one.whole) + " ns";
  }
  throw Failure("first-token", kBackend, "the first token is reported after " + times,
                "this is a defect of the runtime; report it to its vendor");
}

}  // namespace runner
