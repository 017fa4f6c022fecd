// Samples as the host encoded them: files of records of a fixed size, read into memory before they are needed.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "plan.h"
#include "tensor.h"

namespace runner {

// Memory for samples, with inputs at aligned places; anonymous, so that it is never read from a disk again.
class Block {
 public:
  Block() = default;
  Block(std::size_t count, std::size_t stride);
  Block(Block&& other) noexcept;
  Block& operator=(Block&& other) noexcept;
  ~Block();
  std::uint8_t* record(std::size_t place) const { return memory_ + place * stride_; }

 private:
  std::uint8_t* memory_ = nullptr;
  std::size_t size_ = 0, stride_ = 0;
};

// A file of records, each with the inputs of one sample one after the other.
class RecordFile {
 public:
  // Throws Failure: runner-samples: it cannot be read, or has not this number of records.
  RecordFile(const std::string& path, std::size_t records, const Tensors& inputs);
  ~RecordFile();
  RecordFile(const RecordFile&) = delete;
  RecordFile& operator=(const RecordFile&) = delete;

  // Reads a record into memory that is laid out as Layout(inputs, kAlignment).
  void read(std::size_t record, std::uint8_t* into) const;

 private:
  const std::string path_;
  const Tensors& inputs_;
  const Layout packed_, spread_;
  int fd_ = -1;
};

// The samples of a performance run.
class SampleStore {
 public:
  SampleStore(const std::vector<SampleFile>& files, std::uint64_t total, const Tensors& inputs);

  // Throws Failure: runner-samples, out-of-memory. What was loaded before is unloaded.
  void load(const std::vector<std::size_t>& indices);
  void unload();

  // The memory of a loaded sample, or null.
  const std::uint8_t* at(std::size_t index) const { return loaded_[index]; }

 private:
  const Tensors& inputs_;
  std::vector<std::unique_ptr<RecordFile>> files_;
  std::unordered_map<std::uint64_t, std::pair<std::size_t, std::size_t>> places_;  // of a sample: file and record
  std::vector<const std::uint8_t*> loaded_;
  std::vector<std::size_t> indices_;
  Block block_;
};

}  // namespace runner
