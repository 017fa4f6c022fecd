// The engine `nnapi`: a network that the host lowered, on a device of Android's Neural Networks API.
#include <algorithm>
#include <memory>
#include <vector>

#include "engine.h"
#include "failure.h"
#include "nnapi_api.h"
#include "nnapi_compiled.h"
#include "nnapi_durations.h"
#include "nnapi_memory.h"
#include "nnapi_options.h"

namespace runner {
namespace {

// The device that the options name, or else the accelerator's first. Throws Failure: no-device, no-accelerator.
NnapiDeviceFacts chosen_device(const Nnapi& api, const NnapiOptions& options) {
  std::vector<NnapiDeviceFacts> found = nnapi_devices(api);
  const auto leave_out = [&](auto condition) {
    found.erase(std::remove_if(found.begin(), found.end(), condition), found.end());
  };
  leave_out([&](const NnapiDeviceFacts& each) { return options.disallow_cpu && each.accelerator == "cpu"; });
  std::string listed;
  for (const NnapiDeviceFacts& each : found)
    listed += (listed.empty() ? "" : ", ") + each.accelerator + " (" + each.name + ")";
  if (found.empty()) throw Failure("no-device", kBackend, "NNAPI lists no device", "install the vendor's driver");
  leave_out([&](const NnapiDeviceFacts& each) { return !options.device.empty() && each.name != options.device; });
  if (found.empty())
    throw Failure("no-device", kBackend, "NNAPI has no device " + options.device, "it has " + listed);
  leave_out([&](const NnapiDeviceFacts& each) { return each.accelerator != options.accelerator; });
  if (found.empty())
    throw Failure("no-accelerator", kBackend, "NNAPI has no device for accelerator " + options.accelerator,
                  "it has " + listed);
  return found.front();
}

constexpr std::int32_t kOnHardware = 0, kInDriver = 1;  // codes of durations

class NnapiEngine : public Engine {
 public:
  NnapiEngine(const Nnapi& api, const NnapiCompiled& compiled, const NnapiOptions& options)
      : api_(api), network_(compiled.network), compilation_(compiled.compilation), timeout_ns_(options.timeout_ns),
        timing_(options.timing),
        in_(api, network_.input_tensors, NnapiTensors::kInputs),
        out_(api, network_.output_tensors, NnapiTensors::kOutputs),
        offsets_(Layout(network_.input_tensors, kAlignment).offsets) {
    if (timeout_ns_) api_.need(api_.set_timeout, "Execution_setTimeout", "run_timeout_s");
    if (timing_) on_hardware_.keep(), in_driver_.keep();
    try {
      if (options.burst) api_.check(api_.create_burst(compilation_, &burst_), "Burst_create");
      if (reused()) prepare();
    } catch (...) {
      close();
      throw;
    }
  }
  ~NnapiEngine() override { close(); }

  const Tensors& inputs() const override { return network_.input_tensors; }
  const Tensors& outputs() const override { return network_.output_tensors; }
  const std::uint8_t* output(std::size_t, std::size_t index) const override { return out_.at(index); }

  void run(const std::uint8_t* const* samples, std::size_t) override {
    for (std::size_t i = 0; i < offsets_.size(); ++i)
      std::copy_n(samples[0] + offsets_[i], network_.input_tensors[i].bytes, in_.at(i));
    if (!reused()) prepare();
    if (burst_) api_.check(api_.burst_compute(execution_, burst_), "Execution_burstCompute");
    else api_.check(api_.compute(execution_), "Execution_compute");
    if (timing_) measure(kOnHardware, on_hardware_), measure(kInDriver, in_driver_);
  }

  // How the network was driven, and how long the driver says that the runs took.
  nlohmann::json report() const override {
    nlohmann::json found = {
        {"burst", burst_ != nullptr}, {"shared_memory", in_.shared() && out_.shared()}, {"reused", reused()}};
    if (const auto times = on_hardware_.summary(); !times.is_null()) found["on_hardware"] = times;
    if (const auto times = in_driver_.summary(); !times.is_null()) found["in_driver"] = times;
    return found;
  }

 private:
  // Whether one execution serves all runs; libraries below feature level 5 want a new one for each.
  bool reused() const { return api_.set_reusable; }

  void measure(std::int32_t code, NnapiDurations& durations) const {
    std::uint64_t nanoseconds = 0;
    if (!api_.duration(execution_, code, &nanoseconds)) durations.add(nanoseconds);
  }
  void prepare() {
    drop();
    api_.check(api_.create_execution(compilation_, &execution_), "Execution_create");
    if (reused()) api_.check(api_.set_reusable(execution_, true), "Execution_setReusable");
    if (timing_) api_.check(api_.set_measure_timing(execution_, true), "Execution_setMeasureTiming");
    if (timeout_ns_) api_.check(api_.set_timeout(execution_, timeout_ns_), "Execution_setTimeout");
    in_.give(execution_);
    out_.give(execution_);
  }
  void drop() {
    if (execution_) api_.free_execution(execution_);
    execution_ = nullptr;
  }
  void close() {
    drop();
    if (burst_) api_.free_burst(burst_);
  }

  const Nnapi& api_;
  const Network& network_;
  const Nnapi::Compilation compilation_;
  const std::uint64_t timeout_ns_;
  const bool timing_;
  NnapiTensors in_, out_;
  const std::vector<std::size_t> offsets_;
  Nnapi::Burst burst_ = nullptr;
  Nnapi::Execution execution_ = nullptr;
  NnapiDurations on_hardware_, in_driver_;
};

class NnapiRuntime : public Runtime {
 public:
  explicit NnapiRuntime(const Plan& plan)
      : plan_(plan), options_(plan.options), library_(plan.library), api_(library_),
        device_(chosen_device(api_, options_)) {
    if (plan.batch != 1)
      throw Failure("batch-size", kBackend, "NNAPI runs one sample per call, not " + std::to_string(plan.batch),
                    "use batch 1, and sessions for throughput");
  }

  nlohmann::json facts() const override {
    const int level = api_.runtime_level ? nnapi_level(api_.runtime_level()) : 0;
    nlohmann::json versions = nlohmann::json::object();
    versions[device_.name] = device_.version;
    if (level) versions["nnapi"] = std::to_string(level);
    nlohmann::json found = {
        {"runtime", std::string(api_.stand_in ? "NNAPI stand-in" : "NNAPI") +
                        (level ? " feature level " + std::to_string(level) : "")},
        {"versions", versions},
        {"device", {{"name", device_.name}, {"version", device_.version}, {"feature_level", device_.feature_level}}}};
    if (api_.stand_in) found["stand_in"] = nnapi_text(api_.stand_in());
    return found;
  }

  // From the driver's own answer: what it does not take in full is not loaded.
  nlohmann::json placement() const override {
    nlohmann::json names = nlohmann::json::object();
    int count = 0;
    if (compiled_)
      for (const auto& item : compiled_->operators()) names[item.first] = item.second, count += item.second;
    const std::string& accelerator = options_.accelerator;
    return {{"accelerator", accelerator}, {"claim", device_.name}, {"fully_accelerated", true},
            {"operations", {{accelerator, count}}}, {"kernels", {{"nnapi", count}}}, {"names", {{accelerator, names}}}};
  }

  // Sessions share the compiled network; each has memory, a burst and executions of its own.
  std::unique_ptr<Engine> load() override {
    if (!compiled_) compiled_ = std::make_unique<NnapiCompiled>(api_, device_, options_, plan_.model);
    return std::make_unique<NnapiEngine>(api_, *compiled_, options_);
  }

 private:
  const Plan plan_;
  const NnapiOptions options_;
  const Library library_;
  const Nnapi api_;
  const NnapiDeviceFacts device_;
  std::unique_ptr<NnapiCompiled> compiled_;
};

}  // namespace

std::unique_ptr<Runtime> open_nnapi(const Plan& plan) { return std::make_unique<NnapiRuntime>(plan); }

}  // namespace runner
