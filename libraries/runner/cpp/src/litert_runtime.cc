#include "litert_runtime.h"

#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>

#include "failure.h"
#include "fields.h"

namespace runner {

LiteRtRuntime::LiteRtRuntime(const Plan& plan) : plan_(plan), library_(plan.library), api(library_) {
  Fields options(plan.options, "options", "runner-option");
  accelerator_ = options.text("accelerator", "cpu");
  const std::string dispatch = options.text("dispatch_library_dir", "");
  const auto threads = options.count("threads", 0, 1024, 0);
  in_place_ = options.flag("in_place", false);
  options.no_more();
  int set = accelerator_ == "cpu" ? LiteRt::kCpu : accelerator_ == "gpu" ? LiteRt::kGpu : 0;
  if (accelerator_ == "npu") set = LiteRt::kNpu;
  if (!set) options.fail("accelerator", "is not one of cpu, gpu and npu");
  LiteRt::EnvironmentOption option{};
  option.tag = LiteRt::kDispatchLibraryDirectory;
  option.value.type = LiteRt::kTextType;
  option.value.text = dispatch.c_str();
  check(api.create_environment(dispatch.empty() ? 0 : 1, &option, &environment_), "make an environment");
  check(api.create_options(&compilation_), "make options");
  // What the accelerator does not take runs on the CPU; the placement says whether that happened.
  check(api.set_accelerators(compilation_, set | LiteRt::kCpu), "choose the accelerator");
  if (threads) {
    // The CPU's options are a text in TOML, with this name (litert/c/options/litert_cpu_options.cc).
    char* toml = strdup(("num_threads = " + std::to_string(threads) + "\n").c_str());
    LiteRt::OpaqueOptions opaque = nullptr;
    check(api.create_opaque("xnnpack", toml, std::free, &opaque), "set the number of threads");
    check(api.add_opaque(compilation_, opaque), "set the number of threads");
  }
}

LiteRtRuntime::~LiteRtRuntime() {
  if (model_) api.destroy_model(model_);
  if (compilation_) api.destroy_options(compilation_);
  if (environment_) api.destroy_environment(environment_);
}

nlohmann::json LiteRtRuntime::facts() const {
  return {{"runtime", "litert"}, {"versions", nlohmann::json::object()}};
}

nlohmann::json LiteRtRuntime::placement() const {
  nlohmann::json found = {{"accelerator", accelerator_}, {"claim", ""}, {"fully_accelerated", nullptr}};
  if (known_) found["fully_accelerated"] = accelerated_;
  return found;
}

std::unique_ptr<Engine> LiteRtRuntime::load() {
  if (!model_) {
    if (access(plan_.model.c_str(), R_OK) != 0)
      throw Failure("model-missing", kModel, "cannot read " + plan_.model + ": " + std::strerror(errno),
                    "push the model again");
    refuse(api.create_model(environment_, plan_.model.c_str(), &model_), "load");
  }
  return plan_.generations ? make_litert_generator(*this, plan_) : make_litert_engine(*this, plan_);
}

LiteRt::Compiled LiteRtRuntime::compiled() const {
  LiteRt::Compiled found = nullptr;
  refuse(api.create_compiled(environment_, model_, compilation_, &found), "compile");
  known_ = !api.fully_accelerated(found, &accelerated_) || known_;
  return found;
}

LiteRt::Buffer LiteRtRuntime::buffer(LiteRt::Type type, const LiteRt::Dimensions& layout,
                                     LiteRt::Requirements requirements, std::size_t bytes,
                                     const std::string& name) const {
  type.layout = layout;
  type.layout.has_strides = 0;
  LiteRt::Buffer made = nullptr;
  litert_check(api.create_buffer(environment_, &type, requirements, &made), "allocate a tensor");
  std::size_t given = 0;
  litert_check(api.buffer_size(made, &given), "size a tensor");
  if (given < bytes)
    throw Failure("backend-failed", kBackend, "LiteRT gives " + std::to_string(given) + " bytes to tensor " + name +
                                                  ", not " + std::to_string(bytes));
  return made;
}

void LiteRtRuntime::check(LiteRt::Status status, const char* what) const {
  if (status)
    throw Failure("runner-library", kBackend,
                  "LiteRT failed to " + std::string(what) + ": status " + std::to_string(status) + ", " +
                      litert_status(status),
                  "check the library, and the options of the engine");
}

void LiteRtRuntime::refuse(LiteRt::Status status, const char* what) const {
  if (status)
    throw Failure("model-refused", kModel,
                  std::string("LiteRT cannot ") + what + " " + plan_.model + ": status " + std::to_string(status) +
                      ", " + litert_status(status),
                  "use operations that this runtime supports, or a newer runtime; its log is in worker.log");
}

std::unique_ptr<Runtime> open_litert(const Plan& plan) { return std::make_unique<LiteRtRuntime>(plan); }

}  // namespace runner
