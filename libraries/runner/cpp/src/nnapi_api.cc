#include "nnapi_api.h"

#include <algorithm>
#include <cstring>

namespace runner {
namespace {

constexpr std::uint32_t kMostDevices = 64;
constexpr std::size_t kMostShown = 512;
constexpr std::int64_t kFirstApiLevel = 27, kFirstOfItsOwn = 1000000;

// Result codes by number, without their prefix.
constexpr const char* kResults[] = {
    "NO_ERROR", "OUT_OF_MEMORY", "INCOMPLETE", "UNEXPECTED_NULL", "BAD_DATA", "OP_FAILED", "BAD_STATE", "UNMAPPABLE",
    "OUTPUT_INSUFFICIENT_SIZE", "UNAVAILABLE_DEVICE", "MISSED_DEADLINE_TRANSIENT", "MISSED_DEADLINE_PERSISTENT",
    "RESOURCE_EXHAUSTED_TRANSIENT", "RESOURCE_EXHAUSTED_PERSISTENT", "DEAD_OBJECT"};

struct Meaning {
  const char *result, *code, *hint;
};
// As FAULTS in mlperf_mobile_neural_networks/driver.py. All others are `driver-failed`.
constexpr Meaning kMeanings[] = {
    {"OUT_OF_MEMORY", "device-memory", "close other programs, or use a smaller model"},
    {"UNAVAILABLE_DEVICE", "device-busy", "close what else uses the accelerator, wait a little, and try again"},
    {"RESOURCE_EXHAUSTED_TRANSIENT", "device-busy", "close what else uses the accelerator, and try again"},
    {"RESOURCE_EXHAUSTED_PERSISTENT", "device-busy", "use fewer sessions (shards), or a smaller model"},
    {"MISSED_DEADLINE_TRANSIENT", "device-timeout", "allow more time, or try again"},
    {"MISSED_DEADLINE_PERSISTENT", "device-timeout", "allow more time, or use another device"},
    {"DEAD_OBJECT", "device-lost", "the driver's process died: try again, and see the device's log"},
    {"BAD_DATA", "driver-refused", "the driver does not take these values; use another device or model"},
};

const char* accelerator_of(std::int32_t type) {
  switch (type) {
    case 2: return "cpu";
    case 3: return "gpu";
    case 4: return "npu";
    default: return "other";
  }
}

}  // namespace

Nnapi::Nnapi(const Library& library) {
  library.find(device_count, "ANeuralNetworks_getDeviceCount");
  library.find(device, "ANeuralNetworks_getDevice");
  library.find(device_name, "ANeuralNetworksDevice_getName");
  library.find(device_type, "ANeuralNetworksDevice_getType");
  library.find(device_version, "ANeuralNetworksDevice_getVersion");
  library.find(device_level, "ANeuralNetworksDevice_getFeatureLevel");
  library.find(memory_from_fd, "ANeuralNetworksMemory_createFromFd");
  library.find(free_memory, "ANeuralNetworksMemory_free");
  library.find(create_model, "ANeuralNetworksModel_create");
  library.find(free_model, "ANeuralNetworksModel_free");
  library.find(finish_model, "ANeuralNetworksModel_finish");
  library.find(add_operand, "ANeuralNetworksModel_addOperand");
  library.find(set_value, "ANeuralNetworksModel_setOperandValue");
  library.find(set_channel_scales, "ANeuralNetworksModel_setOperandSymmPerChannelQuantParams");
  library.find(add_operation, "ANeuralNetworksModel_addOperation");
  library.find(identify, "ANeuralNetworksModel_identifyInputsAndOutputs");
  library.find(relax, "ANeuralNetworksModel_relaxComputationFloat32toFloat16");
  library.find(supported, "ANeuralNetworksModel_getSupportedOperationsForDevices");
  library.find(create_compilation, "ANeuralNetworksCompilation_createForDevices");
  library.find(free_compilation, "ANeuralNetworksCompilation_free");
  library.find(set_preference, "ANeuralNetworksCompilation_setPreference");
  library.find(finish_compilation, "ANeuralNetworksCompilation_finish");
  library.find(create_burst, "ANeuralNetworksBurst_create");
  library.find(free_burst, "ANeuralNetworksBurst_free");
  library.find(create_execution, "ANeuralNetworksExecution_create");
  library.find(free_execution, "ANeuralNetworksExecution_free");
  library.find(set_measure_timing, "ANeuralNetworksExecution_setMeasureTiming");
  library.find(duration, "ANeuralNetworksExecution_getDuration");
  library.find(set_input, "ANeuralNetworksExecution_setInput");
  library.find(set_output, "ANeuralNetworksExecution_setOutput");
  library.find(set_input_memory, "ANeuralNetworksExecution_setInputFromMemory");
  library.find(set_output_memory, "ANeuralNetworksExecution_setOutputFromMemory");
  library.find(compute, "ANeuralNetworksExecution_compute");
  library.find(burst_compute, "ANeuralNetworksExecution_burstCompute");
  library.find_optional(runtime_level, "ANeuralNetworks_getRuntimeFeatureLevel");
  library.find_optional(set_priority, "ANeuralNetworksCompilation_setPriority");
  library.find_optional(set_timeout, "ANeuralNetworksExecution_setTimeout");
  library.find_optional(set_reusable, "ANeuralNetworksExecution_setReusable");
  library.find_optional(stand_in, "neural_networks_stand_in");
}

void Nnapi::need(bool found, const char* function, const char* option) const {
  if (!found)
    throw Failure("runner-symbol", kBackend,
                  std::string("the library has no function ANeuralNetworks") + function + ", which the option " +
                      option + " needs",
                  std::string("leave out ") + option + ", or use Android 11 or later");
}

void Nnapi::failed(Result result, const char* function, const std::string& about) const {
  const bool known = result > 0 && static_cast<std::size_t>(result) < std::size(kResults);
  const std::string meaning = known ? kResults[result] : "the unknown result " + std::to_string(result);
  const char *code = "driver-failed", *hint = "see the driver's log; use another device or model";
  for (const Meaning& each : kMeanings)
    if (meaning == each.result) code = each.code, hint = each.hint;
  throw Failure(code, kBackend,
                std::string("NNAPI: ANeuralNetworks") + function + " gave " + meaning +
                    (about.empty() ? "" : " for " + about),
                hint);
}

std::vector<NnapiDeviceFacts> nnapi_devices(const Nnapi& api) {
  std::uint32_t count = 0;
  api.check(api.device_count(&count), "_getDeviceCount");
  std::vector<NnapiDeviceFacts> found;
  for (std::uint32_t index = 0; index < std::min(count, kMostDevices); ++index) {
    NnapiDeviceFacts facts;
    const char *name = nullptr, *version = nullptr;
    std::int32_t type = 0;
    std::int64_t level = 0;
    api.check(api.device(index, &facts.handle), "_getDevice");
    api.check(api.device_name(facts.handle, &name), "Device_getName");
    api.check(api.device_type(facts.handle, &type), "Device_getType");
    api.check(api.device_version(facts.handle, &version), "Device_getVersion");
    api.check(api.device_level(facts.handle, &level), "Device_getFeatureLevel");
    facts.name = nnapi_text(name);
    facts.version = nnapi_text(version);
    facts.accelerator = accelerator_of(type);
    facts.feature_level = nnapi_level(level);
    found.push_back(std::move(facts));
  }
  return found;
}

int nnapi_level(std::int64_t number) {
  const std::int64_t level = number - (number > kFirstOfItsOwn ? kFirstOfItsOwn : kFirstApiLevel - 1);
  return static_cast<int>(std::clamp<std::int64_t>(level, 0, 1000));
}

std::string nnapi_text(const char* text) {
  std::string found(text ? text : "", text ? strnlen(text, kMostShown) : 0);
  const auto unprintable = [](unsigned char letter) { return letter < 0x20 || letter == 0x7f; };
  std::replace_if(found.begin(), found.end(), unprintable, ' ');
  return found;
}

}  // namespace runner
