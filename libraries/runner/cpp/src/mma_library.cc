#include "mma_library.h"

#include <cstring>

#include "fields.h"

namespace runner {
namespace mma {

Functions::Functions(const Library& library) {
  const std::string prefix = "mlperf_backend_";
  library.find(matches_hardware, (prefix + "matches_hardware").c_str());
  library.find(create, (prefix + "create").c_str());
  library.find(vendor_name, (prefix + "vendor_name").c_str());
  library.find(accelerator_name, (prefix + "accelerator_name").c_str());
  library.find(name, (prefix + "name").c_str());
  library.find(destroy, (prefix + "delete").c_str());
  library.find(issue_query, (prefix + "issue_query").c_str());
  library.find(flush_queries, (prefix + "flush_queries").c_str());
  library.find(get_input_count, (prefix + "get_input_count").c_str());
  library.find(get_input_type, (prefix + "get_input_type").c_str());
  library.find(set_input, (prefix + "set_input").c_str());
  library.find(get_output_count, (prefix + "get_output_count").c_str());
  library.find(get_output_type, (prefix + "get_output_type").c_str());
  library.find(get_output, (prefix + "get_output").c_str());
  const bool gives = library.find_optional(get_buffer, (prefix + "get_buffer").c_str());
  const bool takes = library.find_optional(release_buffer, (prefix + "release_buffer").c_str());
  if (!gives || !takes) get_buffer = nullptr;
  library.find_optional(convert_inputs, (prefix + "convert_inputs").c_str());
}

Options::Options(const nlohmann::json& value) {
  Fields fields(value, "options", "runner-option");
  delegate = fields.text("delegate", "");
  accelerator = fields.text("accelerator", "");
  description = fields.text("accelerator_desc", "");
  native_lib_path = fields.text("native_lib_path", "");
  model = fields.text("device_model", "");
  manufacturer = fields.text("device_manufacturer", "");
  library_buffers = fields.flag("library_buffers", true);
  if (fields.has("settings")) {
    for (const auto& pair : fields.list("settings")) {
      if (!pair.is_array() || pair.size() != 2 || !pair[0].is_string() || !pair[1].is_string())
        fields.fail("settings", "has an item that is not a pair of texts");
      settings.emplace_back(pair[0].get<std::string>(), pair[1].get<std::string>());
    }
  }
  if (settings.size() > kMostPairs) fields.fail("settings", "has more than 256 pairs");
  fields.no_more();
}

Instance::Instance(const Functions& functions, const std::string& library, const Plan& plan, const Options& options)
    : functions_(functions), library_(library), model_(plan.model) {
  // Libraries keep pointers into the configuration, and compare its texts without a check for NULL.
  for (const auto& pair : options.settings) texts_.push_back(pair.first), texts_.push_back(pair.second);
  delegate_ = options.delegate, accelerator_ = options.accelerator, description_ = options.description;
  configuration_.delegate_selected = delegate_.c_str();
  configuration_.accelerator = accelerator_.c_str();
  configuration_.accelerator_desc = description_.c_str();
  configuration_.batch_size = static_cast<std::uint32_t>(plan.batch);
  configuration_.count = static_cast<int>(options.settings.size());
  for (int i = 0; i < configuration_.count; ++i) {
    configuration_.keys[i] = texts_[2 * static_cast<std::size_t>(i)].c_str();
    configuration_.values[i] = texts_[2 * static_cast<std::size_t>(i) + 1].c_str();
  }
  instance_ = functions_.create(plan.model.c_str(), &configuration_, options.native_lib_path.c_str());
  if (!instance_)
    throw Failure("model-refused", kModel, library_ + " rejects " + plan.model + " (delegate " +
                                               (delegate_.empty() ? "none" : delegate_) + ")",
                  "see its log in worker.log or logcat; check model, delegate and settings");
}

Instance::~Instance() { functions_.destroy(instance_); }

void Instance::failed(int status, const char* function) const {
  throw Failure("backend-failed", kBackend,
                library_ + ": mlperf_backend_" + function + " failed with status " + std::to_string(status) + " (" +
                    model_ + ")",
                "see its log in worker.log or logcat");
}

void Instance::impossible(const std::string& what) const {
  throw Failure("model-tensors", kModel, library_ + " reports " + what + ", which is impossible (" + model_ + ")",
                "check the model, or report it to the library's vendor");
}

std::string Instance::claim() const { return words(functions_.accelerator_name(instance_)); }

nlohmann::json Instance::names() const {
  return {{"vendor_name", words(functions_.vendor_name(instance_))}, {"name", words(functions_.name(instance_))}};
}

std::string words(const char* text) {
  if (!text) return "";
  std::string found(text, strnlen(text, 4096));
  for (char& letter : found)
    if (static_cast<unsigned char>(letter) < 0x20 || static_cast<unsigned char>(letter) > 0x7e) letter = ' ';
  return found;
}

}  // namespace mma
}  // namespace runner
