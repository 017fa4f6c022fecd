// Writes events: one JSON object per line, in the format of mlperf_mobile.events.
#pragma once

#include <mutex>
#include <string>

#include <nlohmann/json.hpp>

#include "failure.h"

namespace runner {

class Channel {
 public:
  // The descriptor stays open for the life of the process.
  explicit Channel(int fd) : fd_(fd) {}

  // Writes `fields` with the time; from any thread. Ends the process if nobody can read it any more.
  void send(nlohmann::json fields);

  void phase(const std::string& name);
  void measured(const std::string& part, nlohmann::json value);
  void failed(const Failure& failure);

  // Reports the failure, and ends the process with its exit code.
  [[noreturn]] void abandon(const Failure& failure);

 private:
  const int fd_;
  std::mutex mutex_;
};

// Any exception as a failure.
Failure as_failure(const std::exception& error);

double seconds_since_1970();

}  // namespace runner
