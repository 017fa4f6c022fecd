// Reads the fields of a JSON object strictly: each is of its type and range, none is missing, and none is unknown.
#pragma once

#include <cmath>
#include <cstdint>
#include <limits>
#include <set>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "failure.h"

namespace runner {

// What a JSON object was read from, for messages.
struct Document {
  std::string code = "runner-plan";
  Exit exit = kUsage;
  std::string wrong = "the runner-plan is wrong";
};

class Fields {
 public:
  using Json = nlohmann::json;

  // `where` is the path of the object, for messages: "performance".
  Fields(const Json& object, std::string where, Document document)
      : object_(object), where_(std::move(where)), document_(std::move(document)) {
    if (!object.is_object()) fail("", "is not an object");
  }
  Fields(const Json& object, std::string where, std::string code = "runner-plan")
      : Fields(object, std::move(where), Document{std::move(code)}) {}

  bool has(const std::string& name) {
    seen_.insert(name);
    return object_.contains(name);
  }

  const Json& any(const std::string& name) {
    if (!has(name)) fail(name, "is missing");
    return object_.at(name);
  }

  std::string text(const std::string& name) {
    const Json& value = any(name);
    if (!value.is_string()) fail(name, "is not a text");
    auto found = value.get<std::string>();
    if (found.find('\0') != std::string::npos) fail(name, "contains a NUL");
    return found;
  }
  std::string text(const std::string& name, const std::string& otherwise) {
    return has(name) ? text(name) : otherwise;
  }

  bool flag(const std::string& name, bool otherwise) {
    if (!has(name)) return otherwise;
    const Json& value = object_.at(name);
    if (!value.is_boolean()) fail(name, "is neither true nor false");
    return value.get<bool>();
  }

  std::uint64_t count(const std::string& name, std::uint64_t least, std::uint64_t most) {
    const Json& value = any(name);
    if (!value.is_number_unsigned() || value.get<std::uint64_t>() < least || value.get<std::uint64_t>() > most)
      fail(name, "is not a whole number from " + std::to_string(least) + " to " + std::to_string(most));
    return value.get<std::uint64_t>();
  }
  std::uint64_t count(const std::string& name, std::uint64_t least, std::uint64_t most, std::uint64_t otherwise) {
    return has(name) ? count(name, least, most) : otherwise;
  }

  std::int32_t integer(const std::string& name) {
    const Json& value = any(name);
    const bool fits = value.is_number_unsigned()
                          ? value.get<std::uint64_t>() <= std::numeric_limits<std::int32_t>::max()
                          : value.is_number_integer() && value == static_cast<std::int32_t>(value.get<std::int64_t>());
    if (!fits)
      fail(name, "is not a whole number of 32 bits");
    return value.get<std::int32_t>();
  }

  std::vector<std::uint32_t> counts(const std::string& name, std::uint32_t least, std::uint32_t most) {
    std::vector<std::uint32_t> found;
    for (const Json& value : list(name)) {
      if (!value.is_number_unsigned() || value < least || value > most)
        fail(name, "has an item that is not a whole number from " + std::to_string(least) + " to " +
                       std::to_string(most));
      found.push_back(value.get<std::uint32_t>());
    }
    return found;
  }

  double number(const std::string& name, double least, double otherwise) {
    if (!has(name)) return otherwise;
    const Json& value = object_.at(name);
    if (!value.is_number() || !std::isfinite(value.get<double>()) || value.get<double>() < least)
      fail(name, "is not a number from " + std::to_string(least));
    return value.get<double>();
  }

  const Json& list(const std::string& name) {
    const Json& value = any(name);
    if (!value.is_array()) fail(name, "is not a list");
    return value;
  }

  // Call last.
  void no_more() {
    for (const auto& item : object_.items())
      if (!seen_.count(item.key())) fail(item.key(), "is unknown");
  }

  [[noreturn]] void fail(const std::string& name, const std::string& what) const {
    const std::string at = where_.empty() ? name : name.empty() ? where_ : where_ + "." + name;
    throw Failure(document_.code, document_.exit, document_.wrong + ": " + (at.empty() ? "the whole" : at) + " " + what,
                  "write it with the version of mlperf-mobile that this runner belongs to");
  }

 private:
  const Json& object_;
  std::string where_;
  Document document_;
  std::set<std::string> seen_;
};

}  // namespace runner
