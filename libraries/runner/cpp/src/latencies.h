// The latency of every sample, as LoadGen itself measured it: no second clock is read around a query.
//
// LoadGen passes each latency to its log in a thread of its own (AsyncLog::RecordSampleCompletion in logging.h). The
// build lets loadgen.cc call our function in its place, which keeps a copy and goes on to LoadGen's.
#pragma once

#include <cstdint>
#include <mutex>
#include <string>
#include <vector>

namespace runner {

class Latencies {
 public:
  // The one that LoadGen's callback fills.
  static Latencies& of_process();

  void add(std::int64_t nanoseconds);
  std::size_t count() const;

  // Forgets all, and makes room for `expected` values.
  void begin(std::size_t expected);

  // Appends what is new to the file, as little-endian 64-bit integers; throws Failure: output-unwritable, disk-full.
  void save(const std::string& path);

 private:
  mutable std::mutex mutex_;
  std::vector<std::int64_t> values_;
  std::size_t saved_ = 0;
};

// Writes values behind the first `from` values of a file, as little-endian 64-bit integers, in place of what may be there;
// `values` is left undefined. Throws Failure: output-unwritable, disk-full.
void append(const std::string& path, std::vector<std::int64_t>& values, std::size_t from);

// The failure of writing under `path`, by errno.
class Failure;
Failure cannot_write(const std::string& path, int error);

}  // namespace runner
