#include "engine.h"

#include <functional>
#include <map>

#include "failure.h"

namespace runner {
namespace {

const std::map<std::string, std::function<std::unique_ptr<Runtime>(const Plan&)>>& engines() {
  static const std::map<std::string, std::function<std::unique_ptr<Runtime>(const Plan&)>> found = {
      {"dummy", open_dummy}, {"litert", open_litert}, {"mma", open_mma}, {"nnapi", open_nnapi}};
  return found;
}

}  // namespace

std::unique_ptr<Runtime> open_runtime(const Plan& plan) {
  const auto found = engines().find(plan.engine);
  if (found == engines().end())
    throw Failure("runner-engine", kBackend, "this runner has no engine " + plan.engine,
                  "engines: " + engine_names().dump());
  return found->second(plan);
}

nlohmann::json engine_names() {
  nlohmann::json names = nlohmann::json::array();
  for (const auto& item : engines()) names.push_back(item.first);
  return names;
}

}  // namespace runner
