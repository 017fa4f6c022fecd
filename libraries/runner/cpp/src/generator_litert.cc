// A language model in LiteRT, by the signatures of the reference app: `prefill_N` for several N, and `decode`.
//
// Inputs are `tokens` int32[1, N], `input_pos` int32[N] and the caches, which every signature returns; `decode` also
// returns `logits` (mobile_app_open, mobile_back_tflite/cpp/backend_tflite/llm_pipeline.cc). No cache is copied: a model
// that only replaces slices of its caches updates them in place; any other reads one set and writes another.
#include <algorithm>
#include <array>
#include <cstring>
#include <map>
#include <vector>

#include "failure.h"
#include "generator.h"
#include "greedy.h"
#include "litert_runtime.h"

namespace runner {
namespace {

constexpr std::size_t kMostEnds = 4096, kMostSignatures = 256;
const std::string kDecode = "decode", kPrefill = "prefill", kCache = "kv_cache_";
const std::string kTokens = "tokens", kPositions = "input_pos", kLogits = "logits";

bool begins(const std::string& name, const std::string& with) { return name.compare(0, with.size(), with) == 0; }

// An input or output of a signature.
struct Port {
  std::string name;
  LiteRt::Type type;

  // 0 if a size is open.
  std::size_t elements() const {
    return static_cast<std::size_t>(std::max<std::int64_t>(0, runner::elements(litert_shape(type.layout, name))));
  }
};

struct Signature {
  std::size_t index = 0;
  std::string key;
  std::vector<Port> inputs, outputs;

  const Port* input(const std::string& name) const { return find(inputs, name); }
  const Port* output(const std::string& name) const { return find(outputs, name); }

 private:
  static const Port* find(const std::vector<Port>& ends, const std::string& name) {
    for (const Port& end : ends)
      if (end.name == name) return &end;
    return nullptr;
  }
};

struct Described {
  Signature decode;
  std::vector<Signature> prefills;
  std::size_t context = 0;
};

[[noreturn]] void refuse(const std::string& what) {
  throw Failure("model-tensors", kModel, "the language model " + what,
                "convert it with the signatures prefill_N and decode of the reference app");
}

Signature read(const LiteRt& api, LiteRt::Model model, std::size_t index) {
  Signature found;
  found.index = index;
  LiteRt::Signature signature = nullptr;
  const char* text = nullptr;
  litert_check(api.signature(model, index, &signature), "find a signature");
  litert_check(api.signature_key(signature, &text), "read a signature's name");
  found.key = text ? text : "";
  std::size_t inputs = 0, outputs = 0;
  litert_check(api.signature_input_count(signature, &inputs), "count a signature's inputs");
  litert_check(api.signature_output_count(signature, &outputs), "count a signature's outputs");
  if (inputs > kMostEnds || outputs > kMostEnds) refuse("has too many tensors in signature " + found.key);
  for (std::size_t i = 0; i < inputs + outputs; ++i) {
    const bool in = i < inputs;
    const std::size_t place = in ? i : i - inputs;
    LiteRt::TensorRef tensor = nullptr;
    Port end{};
    litert_check((in ? api.signature_input_name : api.signature_output_name)(signature, place, &text),
                 "read a tensor's name");
    litert_check((in ? api.signature_input : api.signature_output)(signature, place, &tensor), "find a tensor");
    end.name = text ? text : "";
    int kind = 0;
    litert_check(api.tensor_type_id(tensor, &kind), "read a tensor's type");
    if (kind != LiteRt::kRanked) refuse("has a tensor of unknown rank, " + end.name);
    litert_check(api.tensor_type(tensor, &end.type), "read a tensor's type");
    (in ? found.inputs : found.outputs).push_back(std::move(end));
  }
  return found;
}

// Its tokens and positions are of one size, and it returns the caches that it takes, which are those of `decode`.
void check_ends(const Signature& signature, const Signature& decode) {
  const Port *tokens = signature.input(kTokens), *positions = signature.input(kPositions);
  if (!tokens || !positions || tokens->type.element != LiteRt::kInt32 || positions->type.element != LiteRt::kInt32 ||
      !tokens->elements() || tokens->elements() != positions->elements())
    refuse("has no int32 inputs tokens and input_pos of one size in signature " + signature.key);
  std::size_t caches = 0;
  for (const Port& end : decode.inputs) {
    if (!begins(end.name, kCache)) continue;
    const Port *in = signature.input(end.name), *out = signature.output(end.name);
    if (!in || !out || in->type.element != end.type.element || out->type.element != end.type.element ||
        in->elements() != end.elements() || out->elements() != end.elements())
      refuse("has a signature, " + signature.key + ", that does not take and return the cache " + end.name);
    ++caches;
  }
  if (signature.inputs.size() != caches + 2) refuse("has a signature with other inputs, " + signature.key);
}

Described described(const LiteRtRuntime& runtime) {
  Described found;
  std::size_t count = 0;
  litert_check(runtime.api.signature_count(runtime.model(), &count), "count the signatures");
  if (count > kMostSignatures) refuse("has too many signatures");
  for (std::size_t i = 0; i < count; ++i) {
    Signature one = read(runtime.api, runtime.model(), i);
    if (one.key == kDecode) found.decode = std::move(one);
    else if (begins(one.key, kPrefill)) found.prefills.push_back(std::move(one));
  }
  if (found.decode.key.empty()) refuse("has no signature decode");
  for (const Port& end : found.decode.inputs) {
    if (!begins(end.name, kCache)) continue;
    const auto context = static_cast<std::size_t>(std::max(0, end.type.layout.sizes[1]));
    if (end.type.layout.rank != 4 || end.type.element != LiteRt::kFloat32 || !end.elements() ||
        (found.context && found.context != context))
      refuse("has caches that are not float32[1,context,groups,head]: " + end.name);
    found.context = context;
  }
  if (!found.context) refuse("has no caches in signature decode");
  const Port* logits = found.decode.output(kLogits);
  if (!logits || logits->type.element != LiteRt::kFloat32 || !logits->elements() || !logits->type.layout.rank)
    refuse("has no float32 output logits in signature decode");
  check_ends(found.decode, found.decode);
  if (found.decode.input(kTokens)->elements() != 1) refuse("takes more than one token in signature decode");
  for (const Signature& prefill : found.prefills) check_ends(prefill, found.decode);
  std::sort(found.prefills.begin(), found.prefills.end(), [](const Signature& one, const Signature& other) {
    return one.input(kTokens)->elements() > other.input(kTokens)->elements();
  });
  return found;
}

class LiteRtGenerator : public Generator {
 public:
  LiteRtGenerator(const LiteRtRuntime& runtime, const Plan& plan) : LiteRtGenerator(runtime, plan, described(runtime)) {}
  ~LiteRtGenerator() override {
    for (LiteRt::Buffer each : made_) api_.destroy_buffer(each);
    api_.destroy_compiled(compiled_);
  }

 private:
  // A signature with its buffers: those for each of the two sets of caches that it may read.
  struct Call {
    std::size_t index = 0, size = 0;
    LiteRt::Buffer tokens = nullptr, positions = nullptr, logits = nullptr;
    std::array<std::vector<LiteRt::Buffer>, 2> in, out;
  };

  LiteRtGenerator(const LiteRtRuntime& runtime, const Plan& plan, const Described& model)
      : Generator(plan, model.context), runtime_(runtime), api_(runtime.api), compiled_(runtime.compiled()),
        context_(model.context) {
    const Port& logits = *model.decode.output(kLogits);
    vocabulary_ = static_cast<std::size_t>(logits.type.layout.sizes[logits.type.layout.rank - 1]);
    skipped_ = logits.elements() - vocabulary_;
    for (std::size_t i = 0; i < model.decode.inputs.size(); ++i) {
      const Port& end = model.decode.inputs[i];
      if (!begins(end.name, kCache)) continue;
      bytes_[end.name] = end.elements() * sizeof(float);
      sets_[0][end.name] = made(model.decode, i, true);
      sets_[1][end.name] = runtime.in_place() ? sets_[0][end.name] : made(model.decode, i, true);
    }
    decode_ = call(model.decode);
    for (const Signature& each : model.prefills) prefills_.push_back(call(each));
  }

  LiteRt::Buffer made(const Signature& signature, std::size_t place, bool input) {
    const Port& end = (input ? signature.inputs : signature.outputs)[place];
    LiteRt::Requirements requirements = nullptr;
    litert_check((input ? api_.input_requirements : api_.output_requirements)(compiled_, signature.index, place,
                                                                              &requirements),
                 "size a tensor's memory");
    const std::size_t size = size_of(litert_dtype(end.type.element));
    made_.push_back(runtime_.buffer(end.type, end.type.layout, requirements, end.elements() * size, end.name));
    return made_.back();
  }

  Call call(const Signature& signature) {
    Call found;
    found.index = signature.index;
    found.size = signature.input(kTokens)->elements();
    for (std::size_t i = 0; i < signature.inputs.size(); ++i) {
      const std::string& name = signature.inputs[i].name;
      const bool cache = begins(name, kCache);
      LiteRt::Buffer one = cache ? nullptr : made(signature, i, true);
      if (name == kTokens) found.tokens = one;
      if (name == kPositions) found.positions = one;
      for (std::size_t set = 0; set < 2; ++set) found.in[set].push_back(cache ? sets_[set].at(name) : one);
    }
    for (std::size_t i = 0; i < signature.outputs.size(); ++i) {
      const std::string& name = signature.outputs[i].name;
      const bool cache = sets_[0].count(name) > 0;
      LiteRt::Buffer one = cache ? nullptr : made(signature, i, false);
      if (name == kLogits) found.logits = one;
      for (std::size_t set = 0; set < 2; ++set) found.out[set].push_back(cache ? sets_[1 - set].at(name) : one);
    }
    return found;
  }

  std::size_t generate(const std::int32_t* prompt, std::size_t size, std::int32_t* answer, std::size_t limit) override {
    clear();
    for (std::size_t at = prefill(prompt, size - 1); at < size - 1; ++at) invoke(decode_, prompt + at, 1, at);
    std::int32_t token = prompt[size - 1];
    for (std::size_t count = 0;;) {
      invoke(decode_, &token, 1, size - 1 + count);
      token = most_likely(count);
      if (!count) first_token();
      answer[count++] = token;
      if (stops(token) || count == limit) return count;
    }
  }

  // Runs tokens through the prefill signatures; returns how many. The largest signature as often as it is full, then the
  // smallest one that takes the rest. Its unused slots have the positions after the prompt, as in the reference app,
  // where later tokens replace what they write before any token may attend to it.
  std::size_t prefill(const std::int32_t* tokens, std::size_t count) {
    std::size_t at = 0;
    while (at < count) {
      const std::size_t left = count - at;
      const Call* chosen = nullptr;
      for (const Call& each : prefills_) {
        if (each.size > context_ - at) continue;
        if (each.size >= left || !chosen) chosen = &each;
        if (each.size <= left) break;
      }
      if (!chosen) break;
      const std::size_t used = std::min(chosen->size, left);
      invoke(*chosen, tokens + at, used, at);
      at += used;
    }
    return at;
  }

  void invoke(const Call& call, const std::int32_t* tokens, std::size_t count, std::size_t position) {
    auto* memory = static_cast<std::int32_t*>(open(call.tokens, LiteRt::kWrite));
    std::copy(tokens, tokens + count, memory);
    std::fill(memory + count, memory + call.size, tokens[count - 1]);  // every vocabulary has the last one
    close(call.tokens);
    memory = static_cast<std::int32_t*>(open(call.positions, LiteRt::kWrite));
    for (std::size_t i = 0; i < call.size; ++i) memory[i] = static_cast<std::int32_t>(position + i);
    close(call.positions);
    std::vector<LiteRt::Buffer>&in = const_cast<Call&>(call).in[front_], &out = const_cast<Call&>(call).out[front_];
    litert_check(api_.run(compiled_, call.index, in.size(), in.data(), out.size(), out.data()), "run the model");
    front_ ^= 1;
  }

  std::int32_t most_likely(std::size_t done) {
    const auto* logits = static_cast<const float*>(open(decode_.logits, LiteRt::kRead)) + skipped_;
    const std::ptrdiff_t found = greedy(logits, vocabulary_);
    close(decode_.logits);
    if (found < 0)
      throw Failure("nan-logits", kBackend, "the model computed NaN for token " + std::to_string(done + 1) + " of an answer",
                    "the model or its quantisation is broken, or the kernels are");
    return static_cast<std::int32_t>(found);
  }

  // The other set is written before it is read.
  void clear() {
    for (const auto& [name, buffer] : sets_[front_]) {
      std::memset(open(buffer, LiteRt::kWrite), 0, bytes_.at(name));
      close(buffer);
    }
  }

  void* open(LiteRt::Buffer buffer, int mode) const {
    void* memory = nullptr;
    litert_check(api_.lock(buffer, &memory, mode), "open a tensor");
    return memory;
  }
  void close(LiteRt::Buffer buffer) const { litert_check(api_.unlock(buffer), "close a tensor"); }

  const LiteRtRuntime& runtime_;
  const LiteRt& api_;
  const LiteRt::Compiled compiled_;
  const std::size_t context_;
  std::size_t vocabulary_ = 0, skipped_ = 0, front_ = 0;
  std::map<std::string, std::size_t> bytes_;
  std::array<std::map<std::string, LiteRt::Buffer>, 2> sets_;
  std::vector<LiteRt::Buffer> made_;
  Call decode_;
  std::vector<Call> prefills_;
};

}  // namespace

std::unique_ptr<Engine> make_litert_generator(const LiteRtRuntime& runtime, const Plan& plan) {
  return std::make_unique<LiteRtGenerator>(runtime, plan);
}

}  // namespace runner
