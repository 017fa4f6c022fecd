#include "settings.h"

#include <cmath>
#include <map>
#include <string>

#include "failure.h"

namespace runner {
namespace {

using Settings = mlperf::TestSettings;

const std::map<std::string, double Settings::*> kNumbers = {
    {"single_stream_expected_latency_ns", &Settings::single_stream_expected_latency_ns},
    {"single_stream_target_latency_percentile", &Settings::single_stream_target_latency_percentile},
    {"offline_expected_qps", &Settings::offline_expected_qps},
};

const std::map<std::string, std::uint64_t Settings::*> kCounts = {
    {"min_duration_ms", &Settings::min_duration_ms},
    {"max_duration_ms", &Settings::max_duration_ms},
    {"min_query_count", &Settings::min_query_count},
    {"max_query_count", &Settings::max_query_count},
    {"qsl_rng_seed", &Settings::qsl_rng_seed},
    {"sample_index_rng_seed", &Settings::sample_index_rng_seed},
    {"schedule_rng_seed", &Settings::schedule_rng_seed},
    {"accuracy_log_rng_seed", &Settings::accuracy_log_rng_seed},
    {"test05_qsl_rng_seed", &Settings::test05_qsl_rng_seed},
    {"test05_sample_index_rng_seed", &Settings::test05_sample_index_rng_seed},
    {"test05_schedule_rng_seed", &Settings::test05_schedule_rng_seed},
    {"performance_issue_same_index", &Settings::performance_issue_same_index},
    {"performance_sample_count_override", &Settings::performance_sample_count_override},
};

const std::map<std::string, bool Settings::*> kFlags = {
    {"sample_concatenate_permutation", &Settings::sample_concatenate_permutation},
    {"performance_issue_unique", &Settings::performance_issue_unique},
    {"performance_issue_same", &Settings::performance_issue_same},
    {"print_timestamps", &Settings::print_timestamps},
    {"test05", &Settings::test05},
};

constexpr const char *kProbability = "accuracy_log_probability", *kTarget = "accuracy_log_sampling_target";

[[noreturn]] void refuse(const std::string& name, const std::string& why) {
  throw Failure("runner-setting", kUsage, "LoadGen's setting " + name + " " + why,
                "leave it out, or run on a device with Python");
}

}  // namespace

mlperf::TestSettings test_settings(const nlohmann::json& given, mlperf::TestMode mode, bool responses) {
  if (!given.is_object()) refuse("settings", "is not an object");
  mlperf::TestSettings settings;
  settings.token_latency_scaling_factor = 1;
  settings.mode = mode;
  settings.scenario = mlperf::TestScenario::Offline;
  for (const auto& item : given.items()) {
    const std::string& name = item.key();
    const nlohmann::json& value = item.value();
    if (name == "scenario") {
      if (value == "SingleStream") settings.scenario = mlperf::TestScenario::SingleStream;
      else if (value != "Offline") refuse(name, "is neither SingleStream nor Offline");
    } else if (kNumbers.count(name)) {
      if (!value.is_number() || !std::isfinite(value.get<double>()) || value.get<double>() <= 0.0)
        refuse(name, "is not a positive number");
      settings.*kNumbers.at(name) = value.get<double>();
    } else if (kCounts.count(name)) {
      if (!value.is_number_unsigned()) refuse(name, "is not a whole number");
      settings.*kCounts.at(name) = value.get<std::uint64_t>();
    } else if (kFlags.count(name)) {
      if (!value.is_boolean()) refuse(name, "is neither true nor false");
      settings.*kFlags.at(name) = value.get<bool>();
    } else if (name == kProbability || name == kTarget) {
      const double number = value.is_number() ? value.get<double>() : -1.0;
      if (!(number >= 0.0 && number <= (name == kProbability ? 1.0 : 1e9))) refuse(name, "is not a number of that kind");
      if (name == kProbability) settings.accuracy_log_probability = number;
      else settings.accuracy_log_sampling_target = static_cast<std::uint64_t>(number);
    } else {
      refuse(name, "is not known to this runner");
    }
  }
  const bool logs = settings.accuracy_log_probability > 0.0 || settings.accuracy_log_sampling_target > 0;
  if (logs && !(responses && settings.scenario == mlperf::TestScenario::SingleStream))
    refuse(settings.accuracy_log_sampling_target ? kTarget : kProbability,
           "cannot be honoured: the responses of this run are empty");
  if (mode == mlperf::TestMode::AccuracyOnly) settings.scenario = mlperf::TestScenario::Offline;
  return settings;
}

}  // namespace runner
