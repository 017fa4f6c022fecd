// An engine of LiteRT: a compiled model with one signature.
#include <cstring>
#include <vector>

#include "failure.h"
#include "litert_runtime.h"

namespace runner {
namespace {

constexpr std::size_t kSignature = 0;

// A compiled model with its tensor buffers.
class LiteRtEngine : public Engine {
 public:
  LiteRtEngine(const LiteRtRuntime& runtime, const Plan& plan);
  ~LiteRtEngine() override;
  const Tensors& inputs() const override { return inputs_; }
  const Tensors& outputs() const override { return outputs_; }
  void run(const std::uint8_t* const* samples, std::size_t count) override;
  const std::uint8_t* output(std::size_t slot, std::size_t index) const override {
    return results_[index] + slot * outputs_[index].bytes;
  }

 private:
  void resize(const Plan& plan, const std::vector<LiteRt::Type>& types);
  void describe(LiteRt::TensorRef ref, const LiteRt::Dimensions& layout, Tensors& into) const;
  void check(LiteRt::Status status, const char* what) const { litert_check(status, what); }

  const LiteRt& api_;
  const std::size_t batch_;
  const LiteRt::Compiled compiled_;
  Tensors inputs_, outputs_;
  std::vector<std::size_t> offsets_;
  std::vector<LiteRt::Buffer> in_, out_;
  std::vector<const std::uint8_t*> results_;
};

LiteRtEngine::LiteRtEngine(const LiteRtRuntime& runtime, const Plan& plan)
    : api_(runtime.api), batch_(static_cast<std::size_t>(plan.batch)), compiled_(runtime.compiled()) {
  LiteRt::Subgraph graph = nullptr;
  check(api_.subgraph(runtime.model(), 0, &graph), "find the model's graph");
  std::size_t inputs = 0, outputs = 0;
  check(api_.input_count(graph, &inputs), "count the inputs");
  check(api_.output_count(graph, &outputs), "count the outputs");
  if (!inputs || !outputs || inputs > 256 || outputs > 256)
    throw Failure("model-tensors", kModel, "the model has " + std::to_string(inputs) + " inputs and " +
                                               std::to_string(outputs) + " outputs");
  std::vector<LiteRt::TensorRef> refs(inputs + outputs);
  std::vector<LiteRt::Type> types(inputs + outputs);
  for (std::size_t i = 0; i < refs.size(); ++i) {
    int kind = 0;
    check(i < inputs ? api_.input(graph, i, &refs[i]) : api_.output(graph, i - inputs, &refs[i]), "find a tensor");
    check(api_.tensor_type_id(refs[i], &kind), "read a tensor's type");
    if (kind != LiteRt::kRanked)
      throw Failure("model-tensors", kModel, "the model has a tensor of unknown rank", "convert it with fixed shapes");
    check(api_.tensor_type(refs[i], &types[i]), "read a tensor's type");
  }
  resize(plan, types);
  std::vector<LiteRt::Dimensions> layouts(inputs + outputs);
  for (std::size_t i = 0; i < inputs; ++i)
    check(api_.input_layout(compiled_, kSignature, i, &layouts[i]), "read an input's shape");
  check(api_.output_layouts(compiled_, kSignature, outputs, layouts.data() + inputs, true), "read the outputs' shapes");
  for (std::size_t i = 0; i < refs.size(); ++i) describe(refs[i], layouts[i], i < inputs ? inputs_ : outputs_);
  offsets_ = Layout(inputs_, kAlignment).offsets;
  results_.resize(outputs);
  for (std::size_t i = 0; i < refs.size(); ++i) {
    LiteRt::Requirements requirements = nullptr;
    check(i < inputs ? api_.input_requirements(compiled_, kSignature, i, &requirements)
                     : api_.output_requirements(compiled_, kSignature, i - inputs, &requirements),
          "size a tensor's memory");
    const Tensor& tensor = i < inputs ? inputs_[i] : outputs_[i - inputs];
    (i < inputs ? in_ : out_)
        .push_back(runtime.buffer(types[i], layouts[i], requirements, batch_ * tensor.bytes, tensor.name));
  }
}

LiteRtEngine::~LiteRtEngine() {
  for (LiteRt::Buffer each : in_) api_.destroy_buffer(each);
  for (LiteRt::Buffer each : out_) api_.destroy_buffer(each);
  api_.destroy_compiled(compiled_);
}

// Gives every input the plan's shape, with one slot for each sample of a batch.
void LiteRtEngine::resize(const Plan& plan, const std::vector<LiteRt::Type>& types) {
  for (std::size_t i = 0; i < plan.inputs.size(); ++i) {
    std::vector<int> wanted(plan.inputs[i].shape.begin(), plan.inputs[i].shape.end());
    if (batch_ > 1) {
      if (wanted.empty() || wanted[0] != 1)
        throw Failure("batch-size", kBackend, "input " + plan.inputs[i].name + " has no leading 1 to make a batch of",
                      "leave batch at 1");
      wanted[0] = static_cast<int>(batch_);
    }
    const LiteRt::Dimensions& layout = types[i].layout;
    if (i < types.size() && wanted.size() == layout.rank && std::equal(wanted.begin(), wanted.end(), layout.sizes))
      continue;
    const LiteRt::Status status = api_.resize_input(compiled_, kSignature, i, wanted.data(), wanted.size());
    if (status && batch_ > 1)
      throw Failure("batch-size", kBackend, "LiteRT cannot give input " + plan.inputs[i].name + " a batch of " +
                                                std::to_string(batch_) + ": " + litert_status(status),
                    "leave batch at 1");
    if (status)
      throw Failure("model-tensors", kModel, "LiteRT cannot resize input " + std::to_string(i) + " to " +
                                                 text(plan.inputs[i]) + ": " + litert_status(status),
                    "use the model's own shapes");
  }
}

void LiteRtEngine::describe(LiteRt::TensorRef ref, const LiteRt::Dimensions& layout, Tensors& into) const {
  const char* name = "";
  LiteRt::Type type{};
  int quantised = 0;
  check(api_.tensor_name(ref, &name), "read a tensor's name");
  check(api_.tensor_type(ref, &type), "read a tensor's type");
  check(api_.quantisation_type(ref, &quantised), "read a tensor's quantisation");
  Tensor tensor;
  tensor.name = name ? name : "";
  tensor.dtype = litert_dtype(type.element);
  tensor.shape = litert_shape(layout, tensor.name);
  if (batch_ > 1) {
    if (tensor.shape.empty() || tensor.shape[0] != static_cast<std::int64_t>(batch_))
      throw Failure("batch-size", kBackend, "tensor " + tensor.name + " is " + text(tensor) + " in a batch of " +
                                                std::to_string(batch_), "leave batch at 1");
    tensor.shape[0] = 1;
  }
  const std::int64_t count = elements(tensor.shape);
  if (count < 1 || !size_of(tensor.dtype))
    throw Failure("model-tensors", kModel, "tensor " + tensor.name + " is " + text(tensor) + " (type " +
                                               std::to_string(type.element) + "), which the runner cannot pass",
                  "convert the model with numbers of fixed shapes");
  tensor.bytes = static_cast<std::size_t>(count) * size_of(tensor.dtype);
  if (quantised == LiteRt::kQuantisedPerTensor) {
    LiteRt::PerTensor found{};
    check(api_.per_tensor(ref, &found), "read a tensor's quantisation");
    tensor.quantisation = Quantisation{found.scale, found.zero_point};
  }
  into.push_back(std::move(tensor));
}

void LiteRtEngine::run(const std::uint8_t* const* samples, std::size_t count) {
  for (std::size_t i = 0; i < in_.size(); ++i) {
    void* memory = nullptr;
    check(api_.lock(in_[i], &memory, LiteRt::kWrite), "open an input");
    const std::size_t bytes = inputs_[i].bytes;
    auto* slot = static_cast<std::uint8_t*>(memory);
    // The last sample fills the slots that are left over.
    for (std::size_t s = 0; s < batch_; ++s, slot += bytes)
      std::memcpy(slot, samples[s < count ? s : count - 1] + offsets_[i], bytes);
    check(api_.unlock(in_[i]), "close an input");
  }
  check(api_.run(compiled_, kSignature, in_.size(), in_.data(), out_.size(), out_.data()), "run the model");
  for (std::size_t i = 0; i < out_.size(); ++i) {
    void* memory = nullptr;  // opening an output brings it into memory, if it is elsewhere
    check(api_.lock(out_[i], &memory, LiteRt::kRead), "open an output");
    results_[i] = static_cast<const std::uint8_t*>(memory);
    check(api_.unlock(out_[i]), "close an output");
  }
}

}  // namespace

std::unique_ptr<Engine> make_litert_engine(const LiteRtRuntime& runtime, const Plan& plan) {
  return std::make_unique<LiteRtEngine>(runtime, plan);
}

}  // namespace runner
