// The engine `mma`: a library that a vendor built for the MLPerf Mobile app.
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <vector>

#include "engine.h"
#include "failure.h"
#include "generator_mma.h"
#include "mma_library.h"

namespace runner {
namespace {

constexpr std::size_t kMostText = 1u << 20;
const char* const kTypes[] = {"float32", "uint8", "int8", "float16", "int32", "int64"};

class MmaEngine : public Engine {
 public:
  MmaEngine(const mma::Functions& functions, const std::string& library, const Plan& plan, const mma::Options& options)
      : instance_(functions, library, plan, options), functions_(functions),
        batch_(static_cast<std::size_t>(plan.batch)) {
    void* instance = instance_.get();
    read(functions_.get_input_count(instance), functions_.get_input_type, "input", plan.inputs, inputs_);
    read(functions_.get_output_count(instance), functions_.get_output_type, "output", plan.outputs, outputs_);
    offsets_ = Layout(inputs_, kAlignment).offsets;
    results_.resize(batch_ * outputs_.size());
    try {
      allocate(options.library_buffers);
    } catch (...) {
      release();
      throw;
    }
  }
  ~MmaEngine() override {
    if (pending_) functions_.flush_queries(instance_.get());
    release();
  }

  const Tensors& inputs() const override { return inputs_; }
  const Tensors& outputs() const override { return outputs_; }

  // The app's order of calls: set, issue, get; flush when the outputs have been read, which is before the next query.
  void run(const std::uint8_t* const* samples, std::size_t count) override {
    void* instance = instance_.get();
    if (pending_) {
      pending_ = false;
      instance_.check(functions_.flush_queries(instance), "flush_queries");
    }
    for (std::size_t slot = 0; slot < batch_; ++slot) {
      const std::uint8_t* sample = samples[slot < count ? slot : count - 1];
      for (std::size_t i = 0; i < inputs_.size(); ++i) {
        void* place = memory_[slot * inputs_.size() + i];
        std::memcpy(place, sample + offsets_[i], inputs_[i].bytes);
        if (height_)
          functions_.convert_inputs(instance, static_cast<int>(inputs_[i].bytes), width_, height_,
                                    static_cast<std::uint8_t*>(place));
        instance_.check(
            functions_.set_input(instance, static_cast<std::int32_t>(slot), static_cast<std::int32_t>(i), place),
            "set_input");
      }
    }
    instance_.check(functions_.issue_query(instance, [](void*) {}, nullptr), "issue_query");
    pending_ = true;
    for (std::size_t slot = 0; slot < count; ++slot) {
      for (std::size_t i = 0; i < outputs_.size(); ++i) {
        void* found = nullptr;
        instance_.check(
            functions_.get_output(instance, static_cast<std::uint32_t>(slot), static_cast<std::int32_t>(i), &found),
            "get_output");
        if (!found)
          throw Failure("backend-failed", kBackend,
                        instance_.library() + ": mlperf_backend_get_output returned NULL for output " +
                            std::to_string(i),
                        "check the model, or report it to the library's vendor");
        results_[slot * outputs_.size() + i] = static_cast<const std::uint8_t*>(found);
      }
    }
  }

  const std::uint8_t* output(std::size_t slot, std::size_t index) const override {
    return results_[slot * outputs_.size() + index];
  }

  const mma::Instance& instance() const { return instance_; }

 private:
  // The interface has types and numbers of elements, but no shapes: those are the plan's.
  void read(std::int32_t count, mma::Data (*type)(void*, std::int32_t), const char* kind, const Tensors& planned,
            Tensors& into) const {
    if (count < 1 || count > 256) instance_.impossible(std::to_string(count) + " " + kind + "s");
    for (std::int32_t i = 0; i < count; ++i) {
      const mma::Data data = type(instance_.get(), i);
      if (data.type < 0 || data.type > 5) instance_.impossible("the type " + std::to_string(data.type));
      Tensor tensor;
      tensor.name = std::string(kind) + " " + std::to_string(i);
      tensor.dtype = kTypes[data.type];
      const auto size = static_cast<std::int64_t>(size_of(tensor.dtype));
      if (data.size < 1 || data.size > (std::int64_t{1} << 31) / size)
        instance_.impossible(std::to_string(data.size) + " elements for " + tensor.name);
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
          throw Failure("out-of-memory", kInternal, "no memory for the inputs of " + instance_.model(),
                        "use a smaller batch");
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

  void release() {
    for (; !memory_.empty(); memory_.pop_back()) {
      if (from_library_) functions_.release_buffer(memory_.back());
      else free(memory_.back());
    }
  }

  const mma::Instance instance_;
  const mma::Functions& functions_;
  const std::size_t batch_;
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
    mma::Device device{options_.model.c_str(), options_.manufacturer.c_str(), options_.native_lib_path.c_str()};
    const bool matched = functions_.matches_hardware(&message, &settings, &device);
    const std::string said = mma::words(message);
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
    if (plan_.generations) return loaded(std::make_unique<MmaGenerator>(functions_, library_.name(), plan_, options_));
    return loaded(std::make_unique<MmaEngine>(functions_, library_.name(), plan_, options_));
  }

 private:
  template <typename Loaded>
  std::unique_ptr<Engine> loaded(std::unique_ptr<Loaded> engine) {
    claim_ = engine->instance().claim();
    names_ = engine->instance().names();
    return engine;
  }

  const Plan plan_;
  const mma::Options options_;
  const Library library_;
  const mma::Functions functions_;
  std::string settings_, claim_;
  nlohmann::json names_;
};

}  // namespace

std::unique_ptr<Runtime> open_mma(const Plan& plan) { return std::make_unique<MmaRuntime>(plan); }

}  // namespace runner
