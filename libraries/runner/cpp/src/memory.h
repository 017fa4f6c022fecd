// The memory that this process has used at most.
#pragma once

#include <cstdint>
#include <fstream>
#include <string>

#include <nlohmann/json.hpp>

namespace runner {

// The largest resident memory so far, in bytes; null if the system does not say (proc_pid_status(5), VmHWM).
inline nlohmann::json peak_bytes() {
  std::ifstream status("/proc/self/status");
  for (std::string word; status >> word;) {
    std::uint64_t kibibytes = 0;
    if (word == "VmHWM:" && status >> kibibytes) return kibibytes * 1024;
  }
  return nullptr;
}

}  // namespace runner
