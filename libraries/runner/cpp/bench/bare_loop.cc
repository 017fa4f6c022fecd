// The least that LoadGen needs, to compare the runner with: a query spins and is completed. For benchmarks/runner.py.
#include <cstdlib>
#include <string>
#include <vector>

#include "loadgen.h"
#include "query_sample_library.h"
#include "system_under_test.h"
#include "test_settings.h"

namespace {

class Sut : public mlperf::SystemUnderTest {
 public:
  explicit Sut(unsigned long spins) : spins_(spins) {}
  const std::string& Name() override { return name_; }
  void FlushQueries() override {}
  void IssueQuery(const std::vector<mlperf::QuerySample>& samples) override {
    for (unsigned long i = 0; i < spins_; ++i) asm volatile("" ::: "memory");
    mlperf::QuerySampleResponse response{samples[0].id, 0, 0};
    mlperf::QuerySamplesComplete(&response, 1);
  }

 private:
  const unsigned long spins_;
  const std::string name_ = "bare loop";
};

class Qsl : public mlperf::QuerySampleLibrary {
 public:
  const std::string& Name() override { return name_; }
  std::size_t TotalSampleCount() override { return 16; }
  std::size_t PerformanceSampleCount() override { return 16; }
  void LoadSamplesToRam(const std::vector<mlperf::QuerySampleIndex>&) override {}
  void UnloadSamplesFromRam(const std::vector<mlperf::QuerySampleIndex>&) override {}

 private:
  const std::string name_ = "bare loop";
};

}  // namespace

// Arguments: spins, milliseconds, expected latency in nanoseconds, an existing folder for the logs.
int main(int count, char** values) {
  if (count != 5) return 2;
  Sut sut(std::strtoul(values[1], nullptr, 10));
  Qsl samples;
  mlperf::TestSettings settings;
  settings.scenario = mlperf::TestScenario::SingleStream;
  settings.mode = mlperf::TestMode::PerformanceOnly;
  settings.min_query_count = 64;
  settings.min_duration_ms = std::strtoul(values[2], nullptr, 10);
  settings.single_stream_expected_latency_ns = std::strtod(values[3], nullptr);
  mlperf::LogSettings log;
  log.log_output.outdir = values[4];
  log.enable_trace = false;
  mlperf::StartTest(&sut, &samples, settings, log, std::string(values[4]) + "/audit.config");
  return 0;
}
