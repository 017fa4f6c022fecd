#include "nnapi_network.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cmath>
#include <cstring>
#include <set>

#include "failure.h"
#include "fields.h"

namespace runner {
namespace {

constexpr char kMagic[] = "MLPMNNET";
constexpr std::uint32_t kVersion = 1;
constexpr std::size_t kHead = 24, kMultiple = 64;
constexpr std::uint32_t kMostDescription = 64u << 20;
constexpr std::uint32_t kMostIndex = (1u << 20) - 1;  // of operands and operators
constexpr std::uint32_t kMostOperandBytes = 1u << 31;        // of one operand
constexpr int kNewestLevel = 8;

// Bytes of an element by operand code; 0 for those that are no numbers.
constexpr std::size_t kElementBytes[] = {4, 4, 4, 4, 4, 1, 1, 2, 2, 1, 2, 1, 2, 1, 1};
constexpr bool kScalar[] = {true, true, true, false, false, false, true, false, false, false, true};

template <typename Number>
Number number_at(const std::uint8_t* place) {  // files and devices are little-endian
  Number found;
  std::memcpy(&found, place, sizeof found);
  return found;
}

std::size_t rounded(std::size_t size) { return (size + kMultiple - 1) / kMultiple * kMultiple; }

// The constants of a file.
struct Constants {
  const std::uint8_t* begin;
  std::size_t size;

  const std::uint8_t* at(Fields& fields, std::size_t bytes) const {
    const std::size_t offset = fields.count("offset", 0, size);
    if (offset % kMultiple || bytes > size - offset) fields.fail("offset", "is not the place of a constant");
    return begin + offset;
  }
};

Operand operand(const nlohmann::json& item, const std::string& where, const Document& document,
                const Constants& constants) {
  Fields fields(item, where, document);
  Operand found;
  found.code = static_cast<int>(fields.count("code", 0, std::size(kElementBytes) - 1));
  found.dimensions = fields.counts("dimensions", 1, kMostOperandBytes);
  found.scale = static_cast<float>(fields.number("scale", 0.0, 0.0));
  found.zero_point = fields.integer("zero_point");
  found.name = fields.text("name");
  const bool scalar = static_cast<std::size_t>(found.code) < std::size(kScalar) && kScalar[found.code];
  if (scalar != found.dimensions.empty()) fields.fail("dimensions", "do not belong to this code");
  std::uint64_t bytes = kElementBytes[found.code];
  for (const std::uint32_t size : found.dimensions)
    if ((bytes *= size) > kMostOperandBytes) fields.fail("dimensions", "are those of a tensor that is too large");
  found.bytes = static_cast<std::size_t>(bytes);
  if (!std::isfinite(found.scale)) fields.fail("scale", "is not a number of 32 bits");
  if (fields.has("channels") != (found.code == kPerChannelCode)) fields.fail("channels", "do not belong to this code");
  if (fields.has("channels")) {
    Fields channels(fields.any("channels"), where + ".channels", document);
    const std::size_t rank = found.dimensions.size();
    found.channel_dimension = static_cast<std::uint32_t>(channels.count("dimension", 0, rank - 1));
    const std::uint32_t size = found.dimensions[found.channel_dimension];
    found.channels = static_cast<std::uint32_t>(channels.count("count", size, size));
    found.channel_scales =
        reinterpret_cast<const float*>(constants.at(channels, std::size_t{found.channels} * sizeof(float)));
    channels.no_more();
  }
  if (fields.has("value")) {
    Fields value(fields.any("value"), where + ".value", document);
    found.value = constants.at(value, value.count("bytes", found.bytes, found.bytes));
    value.no_more();
  }
  fields.no_more();
  return found;
}

Operation operation(const nlohmann::json& item, const std::string& where, const Document& document,
                    const std::vector<Operand>& operands) {
  Fields fields(item, where, document);
  const auto last = static_cast<std::uint32_t>(operands.size() - 1);
  Operation found;
  found.code = static_cast<int>(fields.count("code", 0, 1u << 16));
  found.inputs = fields.counts("inputs", 0, last);
  found.outputs = fields.counts("outputs", 0, last);
  found.name = fields.text("name");
  found.sources = fields.counts("sources", 0, kMostIndex);
  for (const std::uint32_t index : found.outputs)
    if (operands[index].value) fields.fail("outputs", "has a constant");
  if (found.inputs.empty() || found.outputs.empty()) fields.fail("", "has no inputs, or no outputs");
  if (found.sources.empty()) fields.fail("sources", "is empty");
  fields.no_more();
  return found;
}

Tensor tensor(const nlohmann::json& item, const std::string& where, const Document& document, const Operand& operand) {
  Fields fields(item, where, document);
  Tensor found;
  found.name = fields.text("name");
  found.dtype = fields.text("dtype");
  for (const std::uint32_t size : fields.counts("shape", 1, kMostOperandBytes)) found.shape.push_back(size);
  found.bytes = fields.count("bytes", operand.bytes, operand.bytes);
  const std::int64_t count = elements(found.shape);
  if (count < 1 || static_cast<std::size_t>(count) * size_of(found.dtype) != found.bytes)
    fields.fail("bytes", "is not the size of " + text(found));
  const double scale = fields.number("scale", 0.0, 0.0);
  const std::int32_t zero_point = fields.integer("zero_point");
  if (scale > 0.0) found.quantisation = Quantisation{scale, zero_point};
  fields.no_more();
  return found;
}

// The operands that enter or leave the network, and their tensors.
void ends(Fields& fields, const std::string& kind, const Document& document, const std::vector<Operand>& operands,
          std::vector<std::uint32_t>& indices, Tensors& tensors) {
  const std::string plural = kind + "s", described = kind + "_tensors";
  indices = fields.counts(plural, 0, static_cast<std::uint32_t>(operands.size() - 1));
  const auto& items = fields.list(described);
  if (indices.empty() || indices.size() > 256 || items.size() != indices.size())
    fields.fail(described, "are not one for each of 1 to 256 " + plural);
  if (std::set<std::uint32_t>(indices.begin(), indices.end()).size() < indices.size())
    fields.fail(plural, "has an operand twice");
  for (const std::uint32_t index : indices) {
    if (operands[index].value) fields.fail(plural, "has a constant");
    tensors.push_back(tensor(items[tensors.size()], described + "." + std::to_string(tensors.size()), document,
                             operands[index]));
  }
}

}  // namespace

Network::Network(const std::string& path) {
  const int fd = open(path.c_str(), O_RDONLY | O_CLOEXEC);
  struct stat facts {};
  if (fd < 0 || fstat(fd, &facts)) {
    const int error = errno;
    if (fd >= 0) close(fd);
    throw Failure("model-missing", kModel, "cannot read " + path + ": " + std::strerror(error), "push the model again");
  }
  size_ = static_cast<std::size_t>(facts.st_size);
  void* mapped = size_ ? mmap(nullptr, size_, PROT_READ, MAP_PRIVATE, fd, 0) : MAP_FAILED;
  close(fd);
  if (mapped == MAP_FAILED)
    throw Failure("model-damaged", kModel, "the network " + path + " is damaged: it cannot be mapped into memory",
                  "push the model again");
  memory_ = static_cast<const std::uint8_t*>(mapped);
  try {
    read(path);
  } catch (...) {
    munmap(mapped, size_);
    throw;
  }
}

Network::~Network() { munmap(const_cast<std::uint8_t*>(memory_), size_); }

void Network::read(const std::string& path) {
  const Document document{"model-damaged", kModel, "the network " + path + " is damaged"};
  const auto damaged = [&](const std::string& what) {
    return Failure(document.code, document.exit, document.wrong + ": " + what, "push the model again");
  };
  if (size_ < kHead || std::memcmp(memory_, kMagic, sizeof kMagic - 1)) throw damaged("it is no file of a network");
  const auto version = number_at<std::uint32_t>(memory_ + 8);
  if (version != kVersion)
    throw Failure("runner-version", kUsage,
                  "the network " + path + " has version " + std::to_string(version) +
                      ", and this runner reads version " + std::to_string(kVersion),
                  "install the same versions of mlperf-mobile and mlperf-mobile-runner");
  const auto described = number_at<std::uint32_t>(memory_ + 12);
  const auto bytes = number_at<std::uint64_t>(memory_ + 16);
  const std::size_t begin = rounded(kHead + std::size_t{described});
  if (described > kMostDescription || begin > size_ || bytes != size_ - begin)
    throw damaged("it has " + std::to_string(size_) + " bytes, and its head counts others");
  const auto content = nlohmann::json::parse(memory_ + kHead, memory_ + kHead + described, nullptr, false);
  if (content.is_discarded()) throw damaged("its description is not JSON");

  Fields fields(content, "", document);
  feature_level = static_cast<int>(fields.count("feature_level", 1, kNewestLevel));
  const Constants constants{memory_ + begin, static_cast<std::size_t>(bytes)};
  for (const auto& item : fields.list("operands"))
    operands.push_back(operand(item, "operands." + std::to_string(operands.size()), document, constants));
  if (operands.empty() || operands.size() > kMostIndex) fields.fail("operands", "are none or too many");
  for (const auto& item : fields.list("operations"))
    operations.push_back(operation(item, "operations." + std::to_string(operations.size()), document, operands));
  if (operations.empty() || operations.size() > kMostIndex) fields.fail("operations", "are none or too many");
  ends(fields, "input", document, operands, inputs, input_tensors);
  ends(fields, "output", document, operands, outputs, output_tensors);
  fields.no_more();
}

}  // namespace runner
