// How the runner reports that a run cannot go on: a stable code, one sentence, a hint, and an exit code.
#pragma once

#include <exception>
#include <string>

namespace runner {

// Exit codes of the process, the same as those of the command mlperf-mobile.
enum Exit { kOk = 0, kUsage = 2, kModel = 3, kData = 4, kBackend = 5, kOutput = 6, kInternal = 70, kInterrupted = 130 };

class Failure : public std::exception {
 public:
  Failure(std::string code, Exit exit, std::string summary, std::string hint = "")
      : code(std::move(code)), summary(std::move(summary)), hint(std::move(hint)), exit(exit) {}
  const char* what() const noexcept override { return summary.c_str(); }

  const std::string code;
  const std::string summary;
  const std::string hint;
  const Exit exit;
};

}  // namespace runner
