#include "litert_api.h"

namespace runner {

LiteRt::LiteRt(const Library& library) {
  library.find(create_environment, "LiteRtCreateEnvironment");
  library.find(destroy_environment, "LiteRtDestroyEnvironment");
  library.find(create_model, "LiteRtCreateModelFromFile");
  library.find(destroy_model, "LiteRtDestroyModel");
  library.find(create_options, "LiteRtCreateOptions");
  library.find(destroy_options, "LiteRtDestroyOptions");
  library.find(set_accelerators, "LiteRtSetOptionsHardwareAccelerators");
  library.find(create_opaque, "LiteRtCreateOpaqueOptions");
  library.find(add_opaque, "LiteRtAddOpaqueOptions");
  library.find(create_compiled, "LiteRtCreateCompiledModel");
  library.find(destroy_compiled, "LiteRtDestroyCompiledModel");
  library.find(fully_accelerated, "LiteRtCompiledModelIsFullyAccelerated");
  library.find(resize_input, "LiteRtCompiledModelResizeInputTensorNonStrict");
  library.find(input_layout, "LiteRtGetCompiledModelInputTensorLayout");
  library.find(output_layouts, "LiteRtGetCompiledModelOutputTensorLayouts");
  library.find(signature_count, "LiteRtGetNumModelSignatures");
  library.find(signature, "LiteRtGetModelSignature");
  library.find(signature_key, "LiteRtGetSignatureKey");
  library.find(signature_input_count, "LiteRtGetNumSignatureInputs");
  library.find(signature_output_count, "LiteRtGetNumSignatureOutputs");
  library.find(signature_input_name, "LiteRtGetSignatureInputName");
  library.find(signature_output_name, "LiteRtGetSignatureOutputName");
  library.find(signature_input, "LiteRtGetSignatureInputTensorByIndex");
  library.find(signature_output, "LiteRtGetSignatureOutputTensorByIndex");
  library.find(subgraph, "LiteRtGetModelSubgraph");
  library.find(input_count, "LiteRtGetNumSubgraphInputs");
  library.find(output_count, "LiteRtGetNumSubgraphOutputs");
  library.find(input, "LiteRtGetSubgraphInput");
  library.find(output, "LiteRtGetSubgraphOutput");
  library.find(tensor_name, "LiteRtGetTensorName");
  library.find(tensor_type_id, "LiteRtGetTensorTypeId");
  library.find(tensor_type, "LiteRtGetRankedTensorType");
  library.find(quantisation_type, "LiteRtGetQuantizationTypeId");
  library.find(per_tensor, "LiteRtGetPerTensorQuantization");
  library.find(input_requirements, "LiteRtGetCompiledModelInputBufferRequirements");
  library.find(output_requirements, "LiteRtGetCompiledModelOutputBufferRequirements");
  library.find(create_buffer, "LiteRtCreateManagedTensorBufferFromRequirements");
  library.find(destroy_buffer, "LiteRtDestroyTensorBuffer");
  library.find(buffer_size, "LiteRtGetTensorBufferPackedSize");
  library.find(lock, "LiteRtLockTensorBuffer");
  library.find(unlock, "LiteRtUnlockTensorBuffer");
  library.find(run, "LiteRtRunCompiledModel");
}

std::vector<std::int64_t> litert_shape(const LiteRt::Dimensions& layout, const std::string& name) {
  if (layout.rank > LiteRt::kMostDimensions)
    throw Failure("model-tensors", kModel, "tensor " + name + " has " + std::to_string(layout.rank) +
                                               " dimensions, which the runner cannot pass");
  return {layout.sizes, layout.sizes + layout.rank};
}

const char* litert_dtype(int element) {
  switch (element) {
    case 1: return "float32";
    case 2: return "int32";
    case 3: return "uint8";
    case 4: return "int64";
    case 6: return "bool";
    case 7: return "int16";
    case 8: return "complex64";
    case 9: return "int8";
    case 10: return "float16";
    case 11: return "float64";
    case 12: return "complex128";
    case 13: return "uint64";
    case 16: return "uint32";
    case 17: return "uint16";
    default: return "";
  }
}

const char* litert_status(LiteRt::Status status) {
  switch (status) {
    case 1: return "invalid argument";
    case 2: return "no memory";
    case 3: return "runtime failure";
    case 4: return "missing input";
    case 5: return "unsupported";
    case 6: return "not found";
    case 8: return "wrong version";
    case 500: return "the file cannot be read";
    case 501: return "not a valid model file";
    case 502: return "a library cannot be loaded";
    case 504: return "compilation failed";
    default: return "see worker.log";
  }
}

}  // namespace runner
