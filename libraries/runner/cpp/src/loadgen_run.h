// Starts LoadGen, and checks that it could write what it measured.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "channel.h"
#include "loadgen.h"
#include "query_sample_library.h"
#include "system_under_test.h"
#include "test_settings.h"

namespace runner {

// LoadGen cannot pass exceptions on, so a failure in one of its callbacks ends the process.
class Sut : public mlperf::SystemUnderTest {
 public:
  explicit Sut(Channel& channel) : channel_(channel) {}
  const std::string& Name() override { return name_; }
  void FlushQueries() override {}
  void IssueQuery(const std::vector<mlperf::QuerySample>& samples) final {
    try {
      answer(samples);
    } catch (const std::exception& error) {
      channel_.abandon(as_failure(error));
    }
  }

 private:
  virtual void answer(const std::vector<mlperf::QuerySample>& samples) = 0;
  Channel& channel_;
  const std::string name_ = "mlperf-mobile-runner";
};

class Qsl : public mlperf::QuerySampleLibrary {
 public:
  using Load = std::function<void(const std::vector<mlperf::QuerySampleIndex>&)>;
  Qsl(Channel& channel, std::size_t total, std::size_t count, Load load)
      : channel_(channel), total_(total), count_(count), load_(std::move(load)) {}
  const std::string& Name() override { return name_; }
  std::size_t TotalSampleCount() override { return total_; }
  std::size_t PerformanceSampleCount() override { return count_; }
  void LoadSamplesToRam(const std::vector<mlperf::QuerySampleIndex>& samples) override {
    try {
      load_(samples);
    } catch (const std::exception& error) {
      channel_.abandon(as_failure(error));
    }
  }
  void UnloadSamplesFromRam(const std::vector<mlperf::QuerySampleIndex>&) override {}  // repeated calls need them

 private:
  Channel& channel_;
  const std::size_t total_, count_;
  const Load load_;
  const std::string name_ = "mlperf-mobile-runner";
};

// Makes a folder for a run's files. Throws Failure: output-unwritable, disk-full.
void make_folder(const std::string& path);

// Runs a test with its logs in `folder`, which must not have logs yet.
// Throws Failure: output-unwritable, disk-full, log-incomplete.
void run_loadgen(Sut& sut, Qsl& samples, const mlperf::TestSettings& settings, const std::string& folder);

}  // namespace runner
