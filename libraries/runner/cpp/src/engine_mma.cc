// The engine `mma`: a library that a vendor built for the MLPerf Mobile app, through its functions mlperf_backend_*.
//
// The interface is that of flutter/cpp/c/type.h and backend_c.h of mobile_app_open.
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <vector>

#include "engine.h"
#include "failure.h"
#include "fields.h"
#include "library.h"

namespace runner {
namespace {

constexpr int kMostPairs = 256;
constexpr std::size_t kMostText = 1u << 20;
const char* const kTypes[] = {"float32", "uint8", "int8", "float16", "int32", "int64"};

struct Data {
  int type;
  std::int64_t size;
};
struct Device {
  const char *model, *manufacturer, *native_lib_path;
};
struct Configuration {
  const char *delegate_selected, *accelerator, *accelerator_desc;
  std::uint32_t batch_size;
  int count;
  const char *keys[kMostPairs], *values[kMostPairs];
};
using FirstToken = void (*)(void*);

struct Functions {
  bool (*matches_hardware)(const char**, const char**, Device*);
  void* (*create)(const char*, Configuration*, const char*);
  const char* (*vendor_name)(void*);
  const char* (*accelerator_name)(void*);
  const char* (*name)(void*);
  void (*destroy)(void*);
  int (*issue_query)(void*, FirstToken, void*);
  int (*flush_queries)(void*);
  std::int32_t (*get_input_count)(void*);
  Data (*get_input_type)(void*, std::int32_t);
  int (*set_input)(void*, std::int32_t, std::int32_t, void*);
  std::int32_t (*get_output_count)(void*);
  Data (*get_output_type)(void*, std::int32_t);
  int (*get_output)(void*, std::uint32_t, std::int32_t, void**);
  void* (*get_buffer)(std::size_t) = nullptr;
  void (*release_buffer)(void*) = nullptr;
  void (*convert_inputs)(void*, int, int, int, std::uint8_t*) = nullptr;

  explicit Functions(const Library& library) {
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
};

// A vendor's text, of bounded length, with what is not printable replaced.
std::string words(const char* text) {
  if (!text) return "";
  std::string found(text, strnlen(text, 4096));
  for (char& letter : found)
    if (static_cast<unsigned char>(letter) < 0x20 || static_cast<unsigned char>(letter) > 0x7e) letter = ' ';
  return found;
}

struct Options {
  std::string delegate, accelerator, description, native_lib_path, model, manufacturer;
  std::vector<std::pair<std::string, std::string>> settings;
  bool library_buffers = true;

  explicit Options(const nlohmann::json& value) {
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
};

class MmaEngine : public Engine {
 public:
  MmaEngine(const Functions& functions, const std::string& library, const Plan& plan, const Options& options)
      : functions_(functions), library_(library), model_(plan.model), batch_(static_cast<std::size_t>(plan.batch)) {
    // Libraries keep pointers into the configuration, and compare its texts without a check for NULL.
    for (const auto& pair : options.settings) texts_.push_back(pair.first), texts_.push_back(pair.second);
    delegate_ = options.delegate, accelerator_ = options.accelerator, description_ = options.description;
    configuration_.delegate_selected = delegate_.c_str();
    configuration_.accelerator = accelerator_.c_str();
    configuration_.accelerator_desc = description_.c_str();
    configuration_.batch_size = static_cast<std::uint32_t>(batch_);
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
    try {
      read(functions_.get_input_count(instance_), functions_.get_input_type, "input", plan.inputs, inputs_);
      read(functions_.get_output_count(instance_), functions_.get_output_type, "output", plan.outputs, outputs_);
      allocate(options.library_buffers);
    } catch (...) {
      close();
      throw;
    }
    offsets_ = Layout(inputs_, kAlignment).offsets;
    results_.resize(batch_ * outputs_.size());
  }
  ~MmaEngine() override { close(); }

  const Tensors& inputs() const override { return inputs_; }
  const Tensors& outputs() const override { return outputs_; }

  // The app's order of calls: set, issue, get; flush when the outputs have been read, which is before the next query.
  void run(const std::uint8_t* const* samples, std::size_t count) override {
    if (pending_) {
      pending_ = false;
      check(functions_.flush_queries(instance_), "flush_queries");
    }
    for (std::size_t slot = 0; slot < batch_; ++slot) {
      const std::uint8_t* sample = samples[slot < count ? slot : count - 1];
      for (std::size_t i = 0; i < inputs_.size(); ++i) {
        void* place = memory_[slot * inputs_.size() + i];
        std::memcpy(place, sample + offsets_[i], inputs_[i].bytes);
        if (height_)
          functions_.convert_inputs(instance_, static_cast<int>(inputs_[i].bytes), width_, height_,
                                    static_cast<std::uint8_t*>(place));
        check(functions_.set_input(instance_, static_cast<std::int32_t>(slot), static_cast<std::int32_t>(i), place),
              "set_input");
      }
    }
    check(functions_.issue_query(instance_, first_token, nullptr), "issue_query");
    pending_ = true;
    for (std::size_t slot = 0; slot < count; ++slot) {
      for (std::size_t i = 0; i < outputs_.size(); ++i) {
        void* found = nullptr;
        check(functions_.get_output(instance_, static_cast<std::uint32_t>(slot), static_cast<std::int32_t>(i), &found),
              "get_output");
        if (!found)
          throw Failure("backend-failed", kBackend,
                        library_ + ": mlperf_backend_get_output returned NULL for output " + std::to_string(i),
                        "check the model, or report it to the library's vendor");
        results_[slot * outputs_.size() + i] = static_cast<const std::uint8_t*>(found);
      }
    }
  }

  const std::uint8_t* output(std::size_t slot, std::size_t index) const override {
    return results_[slot * outputs_.size() + index];
  }

  std::string claim() const { return words(functions_.accelerator_name(instance_)); }
  nlohmann::json names() const {
    return {{"vendor_name", words(functions_.vendor_name(instance_))}, {"name", words(functions_.name(instance_))}};
  }

 private:
  static void first_token(void*) {}

  void check(int status, const char* function) const {
    if (status)
      throw Failure("backend-failed", kBackend,
                    library_ + ": mlperf_backend_" + function + " failed with status " + std::to_string(status) + " (" +
                        model_ + ")",
                    "see its log in worker.log or logcat");
  }

  // The interface has types and numbers of elements, but no shapes: those are the plan's.
  void read(std::int32_t count, Data (*type)(void*, std::int32_t), const char* kind, const Tensors& planned,
            Tensors& into) const {
    if (count < 1 || count > 256) impossible(std::to_string(count) + " " + kind + "s");
    for (std::int32_t i = 0; i < count; ++i) {
      const Data data = type(instance_, i);
      if (data.type < 0 || data.type > 5) impossible("the type " + std::to_string(data.type));
      Tensor tensor;
      tensor.name = std::string(kind) + " " + std::to_string(i);
      tensor.dtype = kTypes[data.type];
      const auto size = static_cast<std::int64_t>(size_of(tensor.dtype));
      if (data.size < 1 || data.size > (std::int64_t{1} << 31) / size)
        impossible(std::to_string(data.size) + " elements for " + tensor.name);
      tensor.shape = {1, data.size};
      tensor.bytes = static_cast<std::size_t>(data.size * size);
      const auto place = static_cast<std::size_t>(i);
      if (place < planned.size() && elements(planned[place].shape) == data.size) {
        tensor.name = planned[place].name;
        tensor.shape = planned[place].shape;
      }
      into.push_back(std::move(tensor));
    }
  }
  [[noreturn]] void impossible(const std::string& what) const {
    throw Failure("model-tensors", kModel, library_ + " reports " + what + ", which is impossible (" + model_ + ")",
                  "check the model, or report it to the library's vendor");
  }

  void allocate(bool from_library) {
    from_library_ = from_library && functions_.get_buffer;
    for (std::size_t slot = 0; slot < batch_; ++slot) {
      for (const Tensor& tensor : inputs_) {
        void* place = nullptr;
        if (from_library_) {
          place = functions_.get_buffer(tensor.bytes);
        } else if (posix_memalign(&place, kAlignment, tensor.bytes)) {
          place = nullptr;
        }
        if (!place)
          throw Failure("out-of-memory", kInternal, "no memory for the inputs of " + model_, "use a smaller batch");
        memory_.push_back(place);
      }
    }
    // As the app does, a sample is converted if it is an image and the only input.
    const auto& shape = inputs_[0].shape;
    if (functions_.convert_inputs && inputs_.size() == 1 && shape.size() == 4 && shape[0] == 1 && shape[3] == 3) {
      height_ = static_cast<int>(shape[1]);
      width_ = static_cast<int>(shape[2]);
    }
  }

  void close() {
    if (pending_) functions_.flush_queries(instance_);
    pending_ = false;
    while (!memory_.empty()) {
      if (from_library_) functions_.release_buffer(memory_.back());
      else free(memory_.back());
      memory_.pop_back();
    }
    if (instance_) functions_.destroy(instance_);
    instance_ = nullptr;
  }

  const Functions& functions_;
  const std::string library_, model_;
  const std::size_t batch_;
  std::vector<std::string> texts_;
  std::string delegate_, accelerator_, description_;
  Configuration configuration_{};
  void* instance_ = nullptr;
  bool pending_ = false, from_library_ = false;
  int width_ = 0, height_ = 0;
  Tensors inputs_, outputs_;
  std::vector<std::size_t> offsets_;
  std::vector<void*> memory_;
  std::vector<const std::uint8_t*> results_;
};

class MmaRuntime : public Runtime {
 public:
  explicit MmaRuntime(const Plan& plan)
      : plan_(plan), options_(plan.options), library_(plan.library), functions_(library_) {
    if (plan.sessions != 1)
      throw Failure("runner-plan", kUsage, "these libraries hold one model at a time: sessions is not 1");
    const char *message = nullptr, *settings = nullptr;
    Device device{options_.model.c_str(), options_.manufacturer.c_str(), options_.native_lib_path.c_str()};
    const bool matched = functions_.matches_hardware(&message, &settings, &device);
    const std::string said = words(message);
    if (!matched || message)
      throw Failure("mma-device", kBackend,
                    library_.name() + (matched ? " does not support this device" : " is not for this device") +
                        (said.empty() ? "" : ": " + said),
                    "use the library for this device, or set device_model");
    if (settings) {
      const std::size_t size = strnlen(settings, kMostText + 1);
      if (size <= kMostText) settings_.assign(settings, size);
    }
  }

  nlohmann::json facts() const override {
    nlohmann::json found = {{"runtime", "mma"}, {"versions", nlohmann::json::object()}, {"mma_settings", settings_}};
    if (!names_.is_null()) found["versions"] = names_;
    return found;
  }
  nlohmann::json placement() const override {
    return {{"accelerator", options_.accelerator}, {"claim", claim_}, {"fully_accelerated", nullptr}};
  }
  std::unique_ptr<Engine> load() override {
    if (access(plan_.model.c_str(), R_OK) != 0)
      throw Failure("model-missing", kModel, "cannot read " + plan_.model + ": " + std::strerror(errno),
                    "push the model again");
    auto engine = std::make_unique<MmaEngine>(functions_, library_.name(), plan_, options_);
    claim_ = engine->claim();
    names_ = engine->names();
    return engine;
  }

 private:
  const Plan plan_;
  const Options options_;
  const Library library_;
  const Functions functions_;
  std::string settings_, claim_;
  nlohmann::json names_;
};

}  // namespace

std::unique_ptr<Runtime> open_mma(const Plan& plan) { return std::make_unique<MmaRuntime>(plan); }

}  // namespace runner
