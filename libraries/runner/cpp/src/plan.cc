#include "plan.h"

#include <algorithm>
#include <fstream>
#include <limits>
#include <unordered_set>

#include "failure.h"
#include "fields.h"

namespace runner {
namespace {

constexpr std::size_t kMostBytes = 64u << 20;
constexpr std::uint64_t kMostSamples = 1u << 30;
constexpr std::uint64_t kMostTokens = 1u << 24;

nlohmann::json parsed(const std::string& path) {
  std::ifstream file(path, std::ios::binary | std::ios::ate);
  if (!file) throw Failure("runner-plan", kUsage, "cannot read the runner-plan " + path, "check --plan");
  const std::streamoff size = file.tellg();
  if (size > static_cast<std::streamoff>(kMostBytes))
    throw Failure("runner-plan", kUsage, "the runner-plan " + path + " is larger than 64 MiB");
  std::string text(static_cast<std::size_t>(std::max<std::streamoff>(0, size)), '\0');
  file.seekg(0);
  file.read(text.data(), static_cast<std::streamsize>(text.size()));
  text.resize(static_cast<std::size_t>(file.gcount()));
  try {
    return nlohmann::json::parse(text);
  } catch (const nlohmann::json::exception& error) {
    throw Failure("runner-plan", kUsage, "the runner-plan " + path + " is not JSON: " + error.what());
  }
}

Tensors tensors(Fields& fields, const std::string& name) {
  Tensors found;
  for (const auto& item : fields.list(name)) {
    Fields one(item, name + "." + std::to_string(found.size()));
    Tensor tensor;
    tensor.name = one.text("name");
    tensor.dtype = one.text("dtype");
    for (const auto& size : one.list("shape")) {
      if (!size.is_number_unsigned()) one.fail("shape", "is not a list of sizes");
      tensor.shape.push_back(size.get<std::int64_t>());
    }
    tensor.bytes = one.count("bytes", 1, 1u << 31);
    one.no_more();
    const std::int64_t count = elements(tensor.shape);
    if (!size_of(tensor.dtype)) one.fail("dtype", "is not the name of a type of numbers");
    if (count < 1 || static_cast<std::size_t>(count) * size_of(tensor.dtype) != tensor.bytes)
      one.fail("bytes", "is not the size of " + text(tensor));
    found.push_back(std::move(tensor));
  }
  if (found.empty() || found.size() > 256) fields.fail(name, "has not 1 to 256 tensors");
  return found;
}

std::vector<std::uint64_t> indices(Fields& fields, const std::string& name, std::uint64_t total) {
  std::vector<std::uint64_t> found;
  for (const auto& index : fields.list(name)) {
    if (!index.is_number_unsigned() || index.get<std::uint64_t>() >= total)
      fields.fail(name, "has an item that is not the index of a sample");
    found.push_back(index.get<std::uint64_t>());
  }
  return found;
}

Performance performance(const nlohmann::json& value) {
  Fields fields(value, "performance");
  Performance found;
  found.settings = fields.any("settings");
  found.expected_latency_ns = fields.number("expected_latency_ns", 0.0, 0.0);
  found.expected_floor_ns = fields.number("expected_floor_ns", 0.0, 1.0);
  found.total = fields.count("total", 1, kMostSamples);
  found.count = fields.count("count", 1, found.total);
  std::unordered_set<std::uint64_t> there;
  for (const auto& item : fields.list("samples")) {
    Fields one(item, "performance.samples." + std::to_string(found.samples.size()));
    SampleFile file{one.text("file"), indices(one, "indices", found.total)};
    one.no_more();
    there.insert(file.indices.begin(), file.indices.end());
    found.samples.push_back(std::move(file));
  }
  found.warm_up = indices(fields, "warmup", found.total);
  if (found.warm_up.empty()) fields.fail("warmup", "is empty");
  for (const std::uint64_t index : found.warm_up)
    if (!there.count(index)) fields.fail("warmup", "has sample " + std::to_string(index) + ", which no file has");
  found.logs = fields.text("logs", "performance");
  fields.no_more();
  return found;
}

Accuracy accuracy(const nlohmann::json& value) {
  Fields fields(value, "accuracy");
  Accuracy found;
  found.settings = fields.any("settings");
  found.total = fields.count("total", 1, kMostSamples);
  std::uint64_t next = 0;
  for (const auto& item : fields.list("chunks")) {
    Fields one(item, "accuracy.chunks." + std::to_string(found.chunks.size()));
    Chunk chunk{one.text("file"), one.count("first", 0, found.total), one.count("count", 1, found.total)};
    one.no_more();
    if (chunk.first != next) one.fail("first", "does not follow the chunk before it");
    next += chunk.count;
    found.chunks.push_back(std::move(chunk));
  }
  if (next != found.total) fields.fail("chunks", "do not have all samples");
  found.wait = fields.flag("wait", false);
  found.wait_s = fields.number("wait_s", 0.0, found.wait_s);
  found.outputs = fields.text("outputs", "outputs");
  found.most_waiting = fields.count("most_waiting", 0, 1u << 20, 0);
  found.logs = fields.text("logs", "accuracy");
  fields.no_more();
  return found;
}

Generation generation(Fields& fields, const std::string& name) {
  Fields one(fields.any(name), "generation." + name);
  Generation found;
  found.most = one.count("max_new_tokens", 1, kMostTokens);
  for (const auto& id : one.list("stop_ids")) {
    if (!id.is_number_unsigned() || id.get<std::uint64_t>() > std::numeric_limits<std::int32_t>::max())
      one.fail("stop_ids", "has an item that is not a token id");
    found.stops.push_back(id.get<std::int32_t>());
  }
  one.no_more();
  return found;
}

Generations generations(const nlohmann::json& value) {
  Fields fields(value, "generation");
  Generations found;
  found.context = fields.count("context", 2, kMostTokens);
  found.performance = generation(fields, "performance");
  found.accuracy = generation(fields, "accuracy");
  fields.no_more();
  return found;
}

}  // namespace

Plan read_plan(const std::string& path, bool describe) {
  const nlohmann::json value = parsed(path);
  Fields fields(value, "");
  const nlohmann::json& version = fields.any("plan");
  if (version != kPlanVersion)
    throw Failure("runner-version", kUsage,
                  "the runner-plan has version " + version.dump() + ", and this runner reads version " +
                      std::to_string(kPlanVersion),
                  "install the same versions of mlperf-mobile and mlperf-mobile-runner");
  Plan found;
  found.engine = fields.text("engine");
  found.library = fields.text("library", "");
  found.model = fields.text("model", "");
  found.options = fields.has("options") ? fields.any("options") : nlohmann::json::object();
  found.sessions = static_cast<int>(fields.count("sessions", 1, 1024, 1));
  found.batch = static_cast<int>(fields.count("batch", 1, 65536, 1));
  found.warm_up_s = fields.number("warmup_s", 0.0, 0.0);
  found.exact = fields.flag("exact", true);
  const auto given = [&](const std::string& name) { return fields.has(name) && !fields.any(name).is_null(); };
  if (!describe || fields.has("inputs")) found.inputs = tensors(fields, "inputs");
  if (!describe || fields.has("outputs")) found.outputs = tensors(fields, "outputs");
  if (given("generation")) found.generations = generations(fields.any("generation"));
  if ((found.has_performance = given("performance"))) found.performance = performance(fields.any("performance"));
  if ((found.has_accuracy = given("accuracy"))) found.accuracy = accuracy(fields.any("accuracy"));
  fields.no_more();
  if (!describe && !found.has_performance && !found.has_accuracy)
    fields.fail("", "has neither performance nor accuracy");
  return found;
}

}  // namespace runner
