// The durations of runs that a driver measured: the latest ones, kept in memory that is allocated before.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <iterator>
#include <vector>

#include <nlohmann/json.hpp>

namespace runner {

class NnapiDurations {
 public:
  static constexpr std::uint64_t kUnknown = ~0ull;  // what a driver answers that did not measure

  void keep() { kept_.assign(kKept, kUnknown); }
  void add(std::uint64_t nanoseconds) { kept_[next_++ % kKept] = nanoseconds; }

  // {"count": 9, "p50_ns": 5, "p90_ns": 9, "mean_ns": 5}, by nearest rank; null where the driver did not measure.
  nlohmann::json summary() const {
    std::vector<std::uint64_t> known;
    std::copy_if(kept_.begin(), kept_.end(), std::back_inserter(known), [](auto each) { return each != kUnknown; });
    if (known.empty()) return nullptr;
    std::sort(known.begin(), known.end());
    const std::size_t count = known.size();
    double sum = 0.0;
    for (const std::uint64_t each : known) sum += static_cast<double>(each);
    return {{"count", count},
            {"p50_ns", known[(count + 1) / 2 - 1]},
            {"p90_ns", known[(count * 9 + 9) / 10 - 1]},
            {"mean_ns", std::llround(sum / static_cast<double>(count))}};
  }

 private:
  static constexpr std::size_t kKept = 1u << 16;
  std::vector<std::uint64_t> kept_;
  std::size_t next_ = 0;
};

}  // namespace runner
