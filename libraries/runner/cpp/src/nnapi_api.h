// The part of NNAPI's C interface that the runner calls, declared here because it is opened at run time.
//
// Layouts and numbers are those of NeuralNetworksTypes.h of the Android Open Source Project (October 2022, feature
// level 8).
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "library.h"

namespace runner {

struct Nnapi {
  using Result = int;  // 0 is success
  using Device = struct NnapiDevice*;
  using Memory = struct NnapiMemory*;
  using Model = struct NnapiModel*;
  using Compilation = struct NnapiCompilation*;
  using Burst = struct NnapiBurst*;
  using Execution = struct NnapiExecution*;

  struct OperandType {
    std::int32_t type;
    std::uint32_t rank;
    const std::uint32_t* dimensions;
    float scale;
    std::int32_t zero_point;
  };
  struct ChannelScales {
    std::uint32_t dimension, count;
    const float* scales;
  };

  // Throws Failure: runner-symbol.
  explicit Nnapi(const Library& library);

  // Throws what a result of a function means: `function` without the prefix, `about` what was at stake.
  void check(Result result, const char* function, const std::string& about = "") const {
    if (result) failed(result, function, about);
  }

  // Of an option, whose function older libraries lack. Throws Failure: runner-symbol.
  void need(bool found, const char* function, const char* option) const;

  Result (*device_count)(std::uint32_t*);
  Result (*device)(std::uint32_t, Device*);
  Result (*device_name)(Device, const char**);
  Result (*device_type)(Device, std::int32_t*);
  Result (*device_version)(Device, const char**);
  Result (*device_level)(Device, std::int64_t*);
  Result (*memory_from_fd)(std::size_t, int, int, std::size_t, Memory*);
  void (*free_memory)(Memory);
  Result (*create_model)(Model*);
  void (*free_model)(Model);
  Result (*finish_model)(Model);
  Result (*add_operand)(Model, const OperandType*);
  Result (*set_value)(Model, std::int32_t, const void*, std::size_t);
  Result (*set_channel_scales)(Model, std::int32_t, const ChannelScales*);
  Result (*add_operation)(Model, int, std::uint32_t, const std::uint32_t*, std::uint32_t, const std::uint32_t*);
  Result (*identify)(Model, std::uint32_t, const std::uint32_t*, std::uint32_t, const std::uint32_t*);
  Result (*relax)(Model, bool);
  Result (*supported)(Model, const Device*, std::uint32_t, bool*);
  Result (*create_compilation)(Model, const Device*, std::uint32_t, Compilation*);
  void (*free_compilation)(Compilation);
  Result (*set_preference)(Compilation, std::int32_t);
  Result (*finish_compilation)(Compilation);
  Result (*create_burst)(Compilation, Burst*);
  void (*free_burst)(Burst);
  Result (*create_execution)(Compilation, Execution*);
  void (*free_execution)(Execution);
  Result (*set_measure_timing)(Execution, bool);
  Result (*duration)(const Execution, std::int32_t, std::uint64_t*);
  Result (*set_input)(Execution, std::int32_t, const OperandType*, const void*, std::size_t);
  Result (*set_output)(Execution, std::int32_t, const OperandType*, void*, std::size_t);
  Result (*set_input_memory)(Execution, std::int32_t, const OperandType*, Memory, std::size_t, std::size_t);
  Result (*set_output_memory)(Execution, std::int32_t, const OperandType*, Memory, std::size_t, std::size_t);
  Result (*compute)(Execution);
  Result (*burst_compute)(Execution, Burst);
  // Of later feature levels; null where the library has none.
  std::int64_t (*runtime_level)() = nullptr;                    // 5
  Result (*set_priority)(Compilation, int) = nullptr;           // 4
  Result (*set_timeout)(Execution, std::uint64_t) = nullptr;    // 4
  Result (*set_reusable)(Execution, bool) = nullptr;            // 5
  const char* (*stand_in)() = nullptr;                          // a stand-in says here that it is one

 private:
  [[noreturn]] void failed(Result result, const char* function, const std::string& about) const;
};

// A device as the library lists it.
struct NnapiDeviceFacts {
  Nnapi::Device handle = nullptr;
  std::string name, version, accelerator;  // npu, gpu, cpu or other
  int feature_level = 0;                   // 1 to 8 so far; 0 if it is not reported
};

// All devices, in the library's order. Throws Failure.
std::vector<NnapiDeviceFacts> nnapi_devices(const Nnapi& api);

// The feature level, counted from 1, of the interface's number for it; 0 for none.
int nnapi_level(std::int64_t number);

// A library's text: one line of bounded length.
std::string nnapi_text(const char* text);

}  // namespace runner
