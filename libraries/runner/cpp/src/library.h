// A shared library that is loaded while the runner runs.
#pragma once

#include <dlfcn.h>

#include <string>

#include "failure.h"

namespace runner {

class Library {
 public:
  // A path if it has a slash; otherwise the loader looks for it. Throws Failure: runner-library.
  explicit Library(const std::string& name) : name_(name) {
    if (name.empty()) throw Failure("runner-library", kUsage, "the runner-plan names no library", "set library");
    handle_ = dlopen(name.c_str(), RTLD_NOW | RTLD_LOCAL);
    if (!handle_) {
      const char* reason = dlerror();
      throw Failure("runner-library", kBackend,
                    "cannot load the library " + name + ": " + (reason ? reason : "no reason given"),
                    "check that it is for this processor and system, and that LD_LIBRARY_PATH has what it needs");
    }
  }
  // Never unloaded: threads of a runtime may outlive its objects.

  // Throws Failure: runner-symbol.
  template <typename Function>
  void find(Function*& function, const char* name) const {
    if (!find_optional(function, name))
      throw Failure("runner-symbol", kBackend, "the library " + name_ + " has no function " + name,
                    "it is another library, or a version that this runner does not know");
  }
  template <typename Function>
  bool find_optional(Function*& function, const char* name) const {
    function = reinterpret_cast<Function*>(dlsym(handle_, name));
    return function != nullptr;
  }
  const std::string& name() const { return name_; }

 private:
  std::string name_;
  void* handle_ = nullptr;
};

}  // namespace runner
