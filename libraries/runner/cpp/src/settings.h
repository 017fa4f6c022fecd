// LoadGen's TestSettings from a plan, by LoadGen's own names.
#pragma once

#include <nlohmann/json.hpp>

#include "test_settings.h"

namespace runner {

// `responses`: whether a single-stream run has responses that LoadGen may log.
// Throws Failure: runner-setting: an unknown name, a value of another type, or one that this runner cannot honour.
mlperf::TestSettings test_settings(const nlohmann::json& given, mlperf::TestMode mode, bool responses = false);

}  // namespace runner
