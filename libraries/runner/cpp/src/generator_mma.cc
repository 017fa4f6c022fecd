#include "generator_mma.h"

#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "failure.h"
#include "first_token.h"

namespace runner {
namespace {

// The app's own library fails when one token is requested (llm_pipeline.cc of mobile_app_open).
constexpr std::int32_t kFewest = 2;
constexpr int kInt32 = 4;
// Ids are below it: about four times the largest vocabulary of published models, 262,144 (Gemma 3).
constexpr std::int32_t kMostId = 1 << 20;

// A std::vector<int> of libstdc++ (bits/stl_vector.h) and libc++ (__vector/vector.h), whose memory is somebody else's.
struct Vector {
  const std::int32_t *begin, *end, *storage_end;
};

// Copies memory that may not be readable: through a pipe, so that the kernel checks the addresses, and no signal comes.
class Copier {
 public:
  Copier() {
    if (pipe(ends_)) throw Failure("internal", kInternal, "cannot make a pipe");
  }
  ~Copier() {
    close(ends_[0]);
    close(ends_[1]);
  }
  Copier(const Copier&) = delete;
  Copier& operator=(const Copier&) = delete;

  // False if some of it cannot be read.
  bool copy(void* into, const void* from, std::size_t size) const {
    constexpr std::size_t kAtOnce = 4096;  // what an empty pipe always takes (PIPE_BUF)
    auto* to = static_cast<char*>(into);
    const auto* data = static_cast<const char*>(from);
    while (size) {
      const ssize_t written = ::write(ends_[1], data, std::min(size, kAtOnce));
      if (written < 0 && errno == EINTR) continue;
      if (written <= 0 || ::read(ends_[0], to, static_cast<std::size_t>(written)) != written) return false;
      data += written;
      to += written;
      size -= static_cast<std::size_t>(written);
    }
    return true;
  }

 private:
  int ends_[2];
};

// The context that the library reports, which is the plan's if it reports none or a larger one.
std::size_t context_of(const mma::Instance& instance, const Plan& plan) {
  const mma::Functions& functions = instance.functions();
  const std::int32_t inputs = functions.get_input_count(instance.get());
  const std::int32_t outputs = functions.get_output_count(instance.get());
  const bool fits = inputs == 2 && outputs == 1 && functions.get_input_type(instance.get(), 0).type == kInt32 &&
                    functions.get_input_type(instance.get(), 1).type == kInt32;
  if (!fits)
    throw Failure("model-tensors", kModel,
                  instance.library() + " has loaded " + instance.model() + " as no language model: it has " +
                      std::to_string(inputs) + " inputs and " + std::to_string(outputs) +
                      " outputs, not int32 token ids, an int32 limit and an answer",
                  "select a benchmark of language models with the option benchmark");
  const std::int64_t reported = functions.get_input_type(instance.get(), 0).size;
  const std::size_t planned = plan.generations->context;
  return reported > 1 && static_cast<std::size_t>(reported) < planned ? static_cast<std::size_t>(reported) : planned;
}

}  // namespace

MmaGenerator::MmaGenerator(const mma::Functions& functions, const std::string& library, const Plan& plan,
                           const mma::Options& options)
    : MmaGenerator(std::make_unique<mma::Instance>(functions, library, plan, options), plan) {}

MmaGenerator::MmaGenerator(std::unique_ptr<mma::Instance> instance, const Plan& plan)
    : Generator(plan, context_of(*instance, plan)), instance_(std::move(instance)) {
  prompt_.resize(plan.generations->context);
  const Generations& how = *plan.generations;
  ids_.reserve(std::max({how.performance.most, how.accuracy.most, static_cast<std::size_t>(kFewest)}));
}

// The interface takes no stop ids: the library ends an answer at its own. One that goes on after a stop id of the task
// is cut there, and so is one that had to be requested longer.
std::size_t MmaGenerator::generate(const std::int32_t* prompt, std::size_t size, std::int32_t* answer,
                                   std::size_t limit) {
  const auto asked = std::max(static_cast<std::int32_t>(limit), kFewest);
  if (!query(prompt, size, asked)) {
    elsewhere_ = true;
    query(prompt, size, asked);
  }
  if (reported_ != (ids_.empty() ? 0 : 1))
    wrong("reported the first token " + std::to_string(reported_) + " times for an answer of " +
              std::to_string(ids_.size()) + " tokens",
          "first-token");
  std::size_t count = 0;
  for (const std::int32_t id : ids_) {
    if (count == limit) break;
    answer[count++] = id;
    if (stops(id)) break;
  }
  return count;
}

// False if the library reports the first token in a thread of its own, which this query did not expect.
bool MmaGenerator::query(const std::int32_t* prompt, std::size_t size, std::int32_t asked) {
  const mma::Functions& functions = instance_->functions();
  FirstTokens& first = FirstTokens::of_process();
  void* instance = instance_->get();
  check_late();
  std::copy(prompt, prompt + size, prompt_.begin());  // the library may write into what it gets
  const Vector given{prompt_.data(), prompt_.data() + size, prompt_.data() + size};
  Vector seen = given;
  std::int32_t limit = asked;
  instance_->check(functions.set_input(instance, 0, 0, &seen), "set_input");
  instance_->check(functions.set_input(instance, 0, 1, &limit), "set_input");
  int status = 0;
  // Two captures: std::function allocates memory for more, and this is timed.
  const FirstTokens::Issue issue = [this, &status](void (*callback)(void*), void* context) {
    status = instance_->functions().issue_query(instance_->get(), callback, context);
  };
  const FirstTokens::Tell tell = [this] { first_token(); };
  if (elsewhere_) first.elsewhere(issue, tell);
  else first.here(issue, tell);
  if (status) first.over();
  instance_->check(status, "issue_query");
  try {
    take(asked);
    if (seen.begin != given.begin || seen.end != given.end || seen.storage_end != given.storage_end)
      wrong("changed the vector of the prompt, which is not its own", "wrong-outputs");
  } catch (const Failure&) {
    first.over();
    functions.flush_queries(instance);  // every query is, as in the app
    throw;
  }
  const FirstTokens::Calls calls = first.over();
  reported_ = calls.count;
  instance_->check(functions.flush_queries(instance), "flush_queries");
  check_late();
  return !calls.foreign;
}

// Copies the library's answer.
void MmaGenerator::take(std::int32_t asked) {
  void* found = nullptr;
  instance_->check(instance_->functions().get_output(instance_->get(), 0, 0, &found), "get_output");
  if (!found) wrong("returned NULL as the answer in mlperf_backend_get_output", "backend-failed");
  static const Copier copier;
  Vector ids{};
  const auto unreadable = [this] { wrong("returned an answer whose memory cannot be read", "wrong-outputs"); };
  if (!copier.copy(&ids, found, sizeof ids)) unreadable();
  const auto address = [](const std::int32_t* pointer) { return reinterpret_cast<std::uintptr_t>(pointer); };
  const bool sound = address(ids.begin) <= address(ids.end) && address(ids.end) <= address(ids.storage_end) &&
                     address(ids.begin) % sizeof(std::int32_t) == 0 &&
                     (address(ids.end) - address(ids.begin)) % sizeof(std::int32_t) == 0;
  if (!sound) wrong("returned an answer whose pointers are no std::vector<int>", "wrong-outputs");
  const std::size_t count = (address(ids.end) - address(ids.begin)) / sizeof(std::int32_t);
  if (count > static_cast<std::size_t>(asked))
    wrong("returned " + std::to_string(count) + " tokens, but " + std::to_string(asked) + " were requested",
          "wrong-outputs");
  ids_.resize(count);
  if (!copier.copy(ids_.data(), ids.begin, count * sizeof(std::int32_t))) unreadable();
  for (const std::int32_t id : ids_)
    if (id < 0 || id >= kMostId) wrong("returned the id " + std::to_string(id) + ", which no vocabulary has", "wrong-outputs");
}

void MmaGenerator::check_late() const {
  if (FirstTokens::of_process().late()) wrong("reported a first token after its query was over", "first-token");
}

void MmaGenerator::wrong(const std::string& what, const char* code) const {
  throw Failure(code, kBackend, instance_->library() + " " + what + " (" + instance_->model() + ")",
                "report it to the library's vendor");
}

}  // namespace runner
