// The part of LiteRT's C interface that the runner calls, declared here because the runtime's wheel has no headers.
//
// Layouts and numbers are those of litert/c of google-ai-edge/LiteRT (2026-08-21); the self-test calls each function.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "library.h"

namespace runner {

struct LiteRt {
  using Status = int;  // 0 is success
  using Environment = struct EnvironmentT*;
  using Model = struct ModelT*;
  using Options = struct OptionsT*;
  using OpaqueOptions = struct OpaqueOptionsT*;
  using Compiled = struct CompiledT*;
  using Signature = struct SignatureT*;
  using Subgraph = struct SubgraphT*;
  using TensorRef = struct TensorT*;
  using Requirements = struct RequirementsT*;
  using Buffer = struct BufferT*;

  struct Dimensions {
    unsigned int rank : 7;
    unsigned int has_strides : 1;
    std::int32_t sizes[8];
    std::uint32_t strides[8];
  };
  struct Type {
    int element;
    Dimensions layout;
  };
  struct PerTensor {
    float scale;
    std::int64_t zero_point;
  };
  struct Any {
    int type;
    union {
      std::int64_t number;
      const char* text;
    };
  };
  struct EnvironmentOption {
    int tag;
    Any value;
  };
  static_assert(sizeof(Type) == 72 && sizeof(PerTensor) == 16 && sizeof(EnvironmentOption) == 24,
                "these are the sizes in LiteRT's own headers");

  enum : int { kCpu = 1, kGpu = 2, kNpu = 4 };
  enum : int { kRead = 0, kWrite = 1 };
  enum : unsigned int { kMostDimensions = 8 };
  enum : int { kFloat32 = 1, kInt32 = 2 };
  enum : int { kRanked = 0, kQuantisedPerTensor = 1, kTextType = 8, kDispatchLibraryDirectory = 1, kMinSeverity = 25 };

  explicit LiteRt(const Library& library);

  Status (*create_environment)(int, const EnvironmentOption*, Environment*);
  void (*destroy_environment)(Environment);
  Status (*create_model)(Environment, const char*, Model*);
  void (*destroy_model)(Model);
  Status (*create_options)(Options*);
  void (*destroy_options)(Options);
  Status (*set_accelerators)(Options, int);
  Status (*create_opaque)(const char*, void*, void (*)(void*), OpaqueOptions*);
  Status (*add_opaque)(Options, OpaqueOptions);
  Status (*create_compiled)(Environment, Model, Options, Compiled*);
  void (*destroy_compiled)(Compiled);
  Status (*fully_accelerated)(Compiled, bool*);
  Status (*resize_input)(Compiled, std::size_t, std::size_t, const int*, std::size_t);
  Status (*input_layout)(Compiled, std::size_t, std::size_t, Dimensions*);
  Status (*output_layouts)(Compiled, std::size_t, std::size_t, Dimensions*, bool);
  Status (*signature_count)(Model, std::size_t*);
  Status (*signature)(Model, std::size_t, Signature*);
  Status (*signature_key)(Signature, const char**);
  Status (*signature_input_count)(Signature, std::size_t*);
  Status (*signature_output_count)(Signature, std::size_t*);
  Status (*signature_input_name)(Signature, std::size_t, const char**);
  Status (*signature_output_name)(Signature, std::size_t, const char**);
  Status (*signature_input)(Signature, std::size_t, TensorRef*);
  Status (*signature_output)(Signature, std::size_t, TensorRef*);
  Status (*subgraph)(Model, std::size_t, Subgraph*);
  Status (*input_count)(Subgraph, std::size_t*);
  Status (*output_count)(Subgraph, std::size_t*);
  Status (*input)(Subgraph, std::size_t, TensorRef*);
  Status (*output)(Subgraph, std::size_t, TensorRef*);
  Status (*tensor_name)(TensorRef, const char**);
  Status (*tensor_type_id)(TensorRef, int*);
  Status (*tensor_type)(TensorRef, Type*);
  Status (*quantisation_type)(TensorRef, int*);
  Status (*per_tensor)(TensorRef, PerTensor*);
  Status (*input_requirements)(Compiled, std::size_t, std::size_t, Requirements*);
  Status (*output_requirements)(Compiled, std::size_t, std::size_t, Requirements*);
  Status (*create_buffer)(Environment, const Type*, Requirements, Buffer*);
  void (*destroy_buffer)(Buffer);
  Status (*buffer_size)(Buffer, std::size_t*);
  Status (*lock)(Buffer, void**, int);
  Status (*unlock)(Buffer);
  Status (*run)(Compiled, std::size_t, std::size_t, Buffer*, std::size_t, Buffer*);
};

// The sizes of a tensor; -1 for open ones. Throws Failure, model-tensors, for more than LiteRT's own headers have room for.
std::vector<std::int64_t> litert_shape(const LiteRt::Dimensions& layout, const std::string& name);

// NumPy's name of an element type; empty for one that NumPy does not have.
const char* litert_dtype(int element);

// The name of a status, for messages.
const char* litert_status(LiteRt::Status status);

}  // namespace runner
