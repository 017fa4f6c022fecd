// What was counted for each answer of a language model in the timed run, for tokens.bin.
//
// The times to first tokens are those that LoadGen measures and passes to its log, as latencies are: see latencies.h.
#pragma once

#include <cstddef>
#include <cstdint>
#include <mutex>
#include <string>
#include <vector>

namespace runner {

// What ended an answer, as in tokens.bin (mlperf_mobile.results.tokens).
enum class End : std::int64_t { kLimit = 0, kStopId = 1, kContext = 2, kOther = 3 };

// What was counted for an answer.
struct Counts {
  std::size_t prompt = 0, tokens = 0;
  End end = End::kOther;
};

class Answers {
 public:
  // The one that LoadGen's callback fills.
  static Answers& of_process();

  // Forgets all, and makes room for `expected` answers; `streamed` if first tokens are reported.
  void begin(std::size_t expected, bool streamed);

  // Called for each answer before it is completed, and for each first token in LoadGen's thread.
  void add(const Counts& counts);
  void first(std::int64_t nanoseconds);

  // Appends what is new to the file: four little-endian 64-bit integers for each answer. Throws Failure.
  void save(const std::string& path);

 private:
  std::mutex mutex_;
  bool is_used_ = false, streamed_ = false;
  std::vector<Counts> counts_;
  std::vector<std::int64_t> first_ns_;
  std::size_t saved_ = 0;
};

}  // namespace runner
