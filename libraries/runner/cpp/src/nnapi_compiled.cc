#include "nnapi_compiled.h"

#include <memory>

#include "failure.h"

namespace runner {
namespace {

constexpr int kOldestLevel = 3;  // assumed for a device that reports none: that of libraries which list devices

std::uint32_t length(const std::vector<std::uint32_t>& indices) { return static_cast<std::uint32_t>(indices.size()); }

}  // namespace

NnapiCompiled::NnapiCompiled(const Nnapi& api, const NnapiDeviceFacts& device, const NnapiOptions& options,
                             const std::string& path)
    : network(path), api_(api) {
  const int level = device.feature_level ? device.feature_level : kOldestLevel;
  if (level < network.feature_level)
    throw Failure("feature-level", kBackend,
                  device.name + " has feature level " + std::to_string(level) +
                      ", and the model was lowered for feature level " + std::to_string(network.feature_level),
                  "use another device, or set feature_level=" + std::to_string(level) +
                      " if the model has no newer operations");
  try {
    build(options.allow_fp16);
    check_supported(device.name, device.handle, path.substr(path.rfind('/') + 1));
    compile(device.handle, options);
  } catch (...) {
    close();
    throw;
  }
}

std::map<std::string, int> NnapiCompiled::operators() const {
  return counted(std::vector<bool>(network.operations.size(), true));
}

void NnapiCompiled::build(bool allow_fp16) {
  api_.check(api_.create_model(&model_), "Model_create");
  for (std::size_t i = 0; i < network.operands.size(); ++i) add(network.operands[i], i);
  for (std::size_t i = 0; i < network.operations.size(); ++i) {
    const Operation& each = network.operations[i];
    api_.check(api_.add_operation(model_, each.code, length(each.inputs), each.inputs.data(), length(each.outputs),
                                  each.outputs.data()),
               "Model_addOperation", "operation " + std::to_string(i) + ", " + each.name);
  }
  api_.check(api_.identify(model_, length(network.inputs), network.inputs.data(), length(network.outputs),
                           network.outputs.data()),
             "Model_identifyInputsAndOutputs");
  if (allow_fp16) api_.check(api_.relax(model_, true), "Model_relaxComputationFloat32toFloat16");
  api_.check(api_.finish_model(model_), "Model_finish");
}

void NnapiCompiled::add(const Operand& operand, std::size_t index) {
  const auto place = static_cast<std::int32_t>(index);
  const std::string about = "operand " + std::to_string(index) + ", " + operand.name;
  const std::uint32_t* dimensions = operand.dimensions.empty() ? nullptr : operand.dimensions.data();
  const Nnapi::OperandType type{operand.code, length(operand.dimensions), dimensions, operand.scale,
                                operand.zero_point};
  api_.check(api_.add_operand(model_, &type), "Model_addOperand", about);
  if (operand.channel_scales) {
    const Nnapi::ChannelScales scales{operand.channel_dimension, operand.channels, operand.channel_scales};
    api_.check(api_.set_channel_scales(model_, place, &scales), "Model_setOperandSymmPerChannelQuantParams", about);
  }
  if (operand.value)
    api_.check(api_.set_value(model_, place, operand.value, operand.bytes), "Model_setOperandValue", about);
}

void NnapiCompiled::check_supported(const std::string& device, Nnapi::Device handle, const std::string& model) const {
  const std::size_t count = network.operations.size();
  const auto answers = std::make_unique<bool[]>(count);
  api_.check(api_.supported(model_, &handle, 1, answers.get()), "Model_getSupportedOperationsForDevices");
  std::vector<bool> left(count);
  for (std::size_t i = 0; i < count; ++i) left[i] = !answers[i];
  int refused = 0, all = 0;
  std::string names;
  for (const auto& [name, times] : counted(left)) {
    refused += times;
    names += (names.empty() ? "" : ", ") + std::to_string(times) + " " + name;
  }
  for (const auto& item : operators()) all += item.second;
  if (refused)
    throw Failure("unsupported-operations", kModel,
                  device + " does not support " + std::to_string(refused) + " of " + std::to_string(all) +
                      " operators of " + model + ": " + names,
                  "use another device or backend; only the Python worker runs operations on the CPU instead");
}

void NnapiCompiled::compile(Nnapi::Device device, const NnapiOptions& options) {
  api_.check(api_.create_compilation(model_, &device, 1, &compilation), "Compilation_createForDevices");
  api_.check(api_.set_preference(compilation, options.preference), "Compilation_setPreference");
  if (options.priority) {
    api_.need(api_.set_priority, "Compilation_setPriority", "priority");
    api_.check(api_.set_priority(compilation, options.priority), "Compilation_setPriority");
  }
  api_.check(api_.finish_compilation(compilation), "Compilation_finish");
}

std::map<std::string, int> NnapiCompiled::counted(const std::vector<bool>& marked) const {
  std::map<std::uint32_t, std::string> names;
  for (std::size_t i = 0; i < marked.size(); ++i) {
    if (!marked[i]) continue;
    for (const std::uint32_t source : network.operations[i].sources) names[source] = network.operations[i].name;
  }
  std::map<std::string, int> found;
  for (const auto& item : names) ++found[item.second];
  return found;
}

void NnapiCompiled::close() {
  if (compilation) api_.free_compilation(compilation);
  if (model_) api_.free_model(model_);
}

}  // namespace runner
