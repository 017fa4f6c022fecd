// The options of the engine `nnapi`, which are those of the Python backend.
#pragma once

#include <cmath>
#include <cstdint>
#include <map>
#include <string>

#include <nlohmann/json.hpp>

#include "fields.h"

namespace runner {

struct NnapiOptions {
  std::string accelerator, device;
  bool disallow_cpu, allow_fp16, burst, timing;
  int preference, priority;  // as the interface numbers them; a priority of 0 is the driver's
  std::uint64_t timeout_ns;  // of one run; 0 is none

  // Throws Failure: runner-option.
  explicit NnapiOptions(const nlohmann::json& value) {
    Fields fields(value, "options", "runner-option");
    accelerator = fields.text("accelerator", "npu");
    device = fields.text("device", "");
    disallow_cpu = fields.flag("disallow_cpu", false);
    allow_fp16 = fields.flag("allow_fp16", false);
    burst = fields.flag("burst", true);
    timing = fields.flag("timing", true);
    preference = chosen(fields, "preference", "fast_single_answer",
                        {{"low_power", 0}, {"fast_single_answer", 1}, {"sustained_speed", 2}});
    priority = chosen(fields, "priority", "", {{"", 0}, {"low", 90}, {"medium", 100}, {"high", 110}});
    const double timeout = fields.number("run_timeout_s", 0.0, 0.0);
    if (timeout > 1e6) fields.fail("run_timeout_s", "is longer than 1000000 s");
    timeout_ns = static_cast<std::uint64_t>(std::ceil(timeout * 1e9));
    fields.no_more();
  }

 private:
  static int chosen(Fields& fields, const char* option, const char* otherwise,
                    const std::map<std::string, int>& known) {
    const auto found = known.find(fields.text(option, otherwise));
    if (found == known.end()) fields.fail(option, "is unknown");
    return found->second;
  }
};

}  // namespace runner
