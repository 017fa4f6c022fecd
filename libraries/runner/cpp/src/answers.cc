#include "answers.h"

#include <algorithm>

#include "latencies.h"

namespace runner {

constexpr std::size_t kFields = 4;

Answers& Answers::of_process() {
  static Answers one;
  return one;
}

void Answers::begin(std::size_t expected, bool streamed) {
  const std::lock_guard<std::mutex> lock(mutex_);
  is_used_ = true;
  streamed_ = streamed;
  counts_.clear();
  first_ns_.clear();
  counts_.reserve(expected);
  if (streamed) first_ns_.reserve(expected);
  saved_ = 0;
}

void Answers::add(const Counts& counts) {
  const std::lock_guard<std::mutex> lock(mutex_);
  counts_.push_back(counts);
}

void Answers::first(std::int64_t nanoseconds) {
  const std::lock_guard<std::mutex> lock(mutex_);
  first_ns_.push_back(nanoseconds);
}

void Answers::save(const std::string& path) {
  std::vector<std::int64_t> fresh;
  std::size_t from = 0;
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    if (!is_used_) return;
    from = saved_;
    const std::size_t until = streamed_ ? std::min(counts_.size(), first_ns_.size()) : counts_.size();
    for (std::size_t i = from; i < until; ++i) {
      // LoadGen is told of a first token for an empty answer, too.
      const std::int64_t first_ns = streamed_ && counts_[i].tokens ? first_ns_[i] : 0;
      fresh.insert(fresh.end(), {static_cast<std::int64_t>(counts_[i].prompt),
                                 static_cast<std::int64_t>(counts_[i].tokens), first_ns,
                                 static_cast<std::int64_t>(counts_[i].end)});
    }
  }
  append(path, fresh, from * kFields);
  const std::lock_guard<std::mutex> lock(mutex_);
  saved_ = from + fresh.size() / kFields;
}

}  // namespace runner
