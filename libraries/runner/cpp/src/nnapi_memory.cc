#include "nnapi_memory.h"

#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>

#include "engine.h"
#include "failure.h"

namespace runner {
namespace {

constexpr std::size_t kApart = 128;  // more than any processor's vector or cache line

// A descriptor of shared memory, or -1. Android's drivers are processes of their own, and may map no other kind.
int shared_file(std::size_t size) {
#ifdef __ANDROID__
  static void* const android = dlopen("libandroid.so", RTLD_NOW | RTLD_LOCAL);
  using Create = int(const char*, std::size_t);
  auto* const create = android ? reinterpret_cast<Create*>(dlsym(android, "ASharedMemory_create")) : nullptr;
  return create ? create("mlperf-mobile", size) : -1;
#else
  const int fd = memfd_create("mlperf-mobile", MFD_CLOEXEC);
  if (fd >= 0 && ftruncate(fd, static_cast<off_t>(size))) {
    close(fd);
    return -1;
  }
  return fd;
#endif
}

}  // namespace

NnapiTensors::NnapiTensors(const Nnapi& api, const Tensors& tensors, Role role)
    : api_(api), role_(role), layout_(tensors, kApart), size_(std::max(layout_.stride, kApart)) {
  for (const Tensor& tensor : tensors) bytes_.push_back(tensor.bytes);
  const int fd = shared_file(size_);
  if (fd >= 0) {
    share(fd);
    close(fd);
  }
  if (memory_) return;
  void* mapped = mmap(nullptr, size_, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (mapped == MAP_FAILED)
    throw Failure("out-of-memory", kInternal, "no memory for the tensors of the network", "use a smaller model");
  memory_ = static_cast<std::uint8_t*>(mapped);
}

NnapiTensors::~NnapiTensors() {
  if (handle_) api_.free_memory(handle_);
  munmap(memory_, size_);
}

// Maps the descriptor if the driver takes it, which duplicates it.
void NnapiTensors::share(int fd) {
  void* mapped = mmap(nullptr, size_, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  if (mapped == MAP_FAILED) return;
  if (api_.memory_from_fd(size_, PROT_READ | PROT_WRITE, fd, 0, &handle_)) {
    handle_ = nullptr;
    munmap(mapped, size_);
    return;
  }
  memory_ = static_cast<std::uint8_t*>(mapped);
}

void NnapiTensors::give(Nnapi::Execution execution) const {
  for (std::size_t i = 0; i < bytes_.size(); ++i) {
    const auto index = static_cast<std::int32_t>(i);
    if (role_ == kInputs && handle_)
      api_.check(api_.set_input_memory(execution, index, nullptr, handle_, layout_.offsets[i], bytes_[i]),
                 "Execution_setInputFromMemory");
    else if (role_ == kInputs)
      api_.check(api_.set_input(execution, index, nullptr, at(i), bytes_[i]), "Execution_setInput");
    else if (handle_)
      api_.check(api_.set_output_memory(execution, index, nullptr, handle_, layout_.offsets[i], bytes_[i]),
                 "Execution_setOutputFromMemory");
    else
      api_.check(api_.set_output(execution, index, nullptr, at(i), bytes_[i]), "Execution_setOutput");
  }
}

}  // namespace runner
