#include "samples.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <new>

#include "engine.h"
#include "failure.h"

namespace runner {

Block::Block(std::size_t count, std::size_t stride) : stride_(stride) {
  if (__builtin_mul_overflow(count, stride, &size_)) throw std::bad_alloc();
  if (!size_) return;
  void* memory = mmap(nullptr, size_, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) throw std::bad_alloc();
  memory_ = static_cast<std::uint8_t*>(memory);
}

Block::Block(Block&& other) noexcept { *this = std::move(other); }

Block& Block::operator=(Block&& other) noexcept {
  std::swap(memory_, other.memory_);
  std::swap(size_, other.size_);
  std::swap(stride_, other.stride_);
  return *this;
}

Block::~Block() {
  if (memory_) munmap(memory_, size_);
}

RecordFile::RecordFile(const std::string& path, std::size_t records, const Tensors& inputs)
    : path_(path), inputs_(inputs), packed_(inputs, 1), spread_(inputs, kAlignment) {
  fd_ = open(path.c_str(), O_RDONLY | O_CLOEXEC);
  struct stat status{};
  if (fd_ < 0 || fstat(fd_, &status) || !S_ISREG(status.st_mode)) {
    const std::string reason = fd_ < 0 ? std::strerror(errno) : "not a file";
    if (fd_ >= 0) close(fd_);
    throw Failure("runner-samples", kData, "cannot read the samples in " + path + ": " + reason,
                  "push the samples again");
  }
  const auto bytes = static_cast<std::size_t>(status.st_size);
  if (bytes % packed_.stride || bytes / packed_.stride != records) {
    close(fd_);
    throw Failure("runner-samples", kData,
                  path + " has " + std::to_string(bytes) + " bytes, not " + std::to_string(records) + " samples of " +
                      std::to_string(packed_.stride),
                  "push the samples again");
  }
}

RecordFile::~RecordFile() { close(fd_); }

void RecordFile::read(std::size_t record, std::uint8_t* into) const {
  auto place = static_cast<off_t>(record * packed_.stride);
  for (std::size_t i = 0; i < inputs_.size(); ++i) {
    std::uint8_t* memory = into + spread_.offsets[i];
    std::size_t left = inputs_[i].bytes;
    while (left) {
      const ssize_t got = pread(fd_, memory, left, place);
      if (got < 0 && errno == EINTR) continue;
      if (got <= 0)
        throw Failure("runner-samples", kData,
                      "cannot read the samples in " + path_ + ": " + (got ? std::strerror(errno) : "the file was cut"),
                      "push the samples again");
      memory += got;
      place += got;
      left -= static_cast<std::size_t>(got);
    }
  }
}

SampleStore::SampleStore(const std::vector<SampleFile>& files, std::uint64_t total, const Tensors& inputs)
    : inputs_(inputs), loaded_(total, nullptr) {
  for (const SampleFile& file : files) {
    for (std::size_t record = 0; record < file.indices.size(); ++record)
      places_.emplace(file.indices[record], std::make_pair(files_.size(), record));
    files_.push_back(std::make_unique<RecordFile>(file.path, file.indices.size(), inputs));
  }
}

void SampleStore::load(const std::vector<std::size_t>& indices) {
  unload();
  const std::size_t stride = Layout(inputs_, kAlignment).stride;
  block_ = Block(indices.size(), stride);
  for (std::size_t i = 0; i < indices.size(); ++i) {
    const auto found = places_.find(indices[i]);
    if (found == places_.end())
      throw Failure("runner-samples", kData, "LoadGen asks for sample " + std::to_string(indices[i]) +
                                                 ", which no file of the runner-plan has",
                    "plan with the LoadGen version of this runner");
    files_[found->second.first]->read(found->second.second, block_.record(i));
    loaded_[indices[i]] = block_.record(i);
  }
  indices_ = indices;
}

void SampleStore::unload() {
  for (const std::size_t index : indices_) loaded_[index] = nullptr;
  indices_.clear();
  block_ = Block();
}

}  // namespace runner
