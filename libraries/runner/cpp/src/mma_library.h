// A library that a vendor built for the MLPerf Mobile app: its functions mlperf_backend_*, and one model loaded by it.
//
// The interface is that of flutter/cpp/c/type.h and backend_c.h of mobile_app_open.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include <nlohmann/json.hpp>

#include "failure.h"
#include "library.h"
#include "plan.h"

namespace runner {
namespace mma {

constexpr int kMostPairs = 256;

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

  // Throws Failure: runner-symbol.
  explicit Functions(const Library& library);
};

// The engine's options. Throws Failure: runner-option.
struct Options {
  std::string delegate, accelerator, description, native_lib_path, model, manufacturer;
  std::vector<std::pair<std::string, std::string>> settings;
  bool library_buffers = true;

  explicit Options(const nlohmann::json& value);
};

// A model that a library has loaded.
class Instance {
 public:
  // Throws Failure: model-refused.
  Instance(const Functions& functions, const std::string& library, const Plan& plan, const Options& options);
  ~Instance();
  Instance(const Instance&) = delete;
  Instance& operator=(const Instance&) = delete;

  void* get() const { return instance_; }
  const Functions& functions() const { return functions_; }
  const std::string& library() const { return library_; }
  const std::string& model() const { return model_; }

  // Throws Failure: backend-failed: a function returned `status`, which is not 0.
  void check(int status, const char* function) const {
    if (status) failed(status, function);
  }
  // Throws Failure: model-tensors: the library reports `what`.
  [[noreturn]] void impossible(const std::string& what) const;

  // The library's names for what it has loaded and where that runs.
  std::string claim() const;
  nlohmann::json names() const;

 private:
  [[noreturn]] void failed(int status, const char* function) const;

  const Functions& functions_;
  const std::string library_, model_;
  std::vector<std::string> texts_;
  std::string delegate_, accelerator_, description_;
  Configuration configuration_{};
  void* instance_ = nullptr;
};

// A vendor's text, of bounded length, with what is not printable replaced.
std::string words(const char* text);

}  // namespace mma
}  // namespace runner
