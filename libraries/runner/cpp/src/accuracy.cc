#include "accuracy.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <deque>
#include <thread>

#include "latencies.h"
#include "loadgen_run.h"
#include "settings.h"
#include "sha256.h"

namespace runner {
namespace {

using Clock = std::chrono::steady_clock;

constexpr auto kPoll = std::chrono::milliseconds(20);

// Answers LoadGen's only query, which has all samples in a random order, in the order of the data set.
class Chunks : public Sut {
 public:
  Chunks(Channel& channel, const Plan& plan, Sessions& sessions, Watch& watch)
      : Sut(channel), channel_(channel), what_(plan.accuracy), batch_(static_cast<std::size_t>(plan.batch)),
        sessions_(sessions), watch_(watch), in_(sessions.first().inputs(), kAlignment),
        out_(sessions.first().outputs(), 1), ids_(what_.total) {}

  std::size_t done() const { return done_; }
  double waited_s() const { return waited_s_; }

 private:
  void answer(const std::vector<mlperf::QuerySample>& samples) override {
    if (samples.size() != what_.total)
      throw Failure("internal", kInternal, "LoadGen asks for " + std::to_string(samples.size()) + " samples at once, not " +
                                               std::to_string(what_.total));
    for (const mlperf::QuerySample& sample : samples) ids_.at(sample.index) = sample.id;
    for (std::size_t number = 0; number < what_.chunks.size(); ++number) answer_chunk(number);
  }

  void answer_chunk(std::size_t number) {
    const Chunk& chunk = what_.chunks[number];
    if (what_.wait)
      wait_for("samples " + std::to_string(number), [&] { return access(chunk.path.c_str(), F_OK) == 0; });
    if (what_.most_waiting) {
      wait_for("outputs", [&] {
        while (!written_.empty() && access(written_.front().c_str(), F_OK) != 0) written_.pop_front();
        return written_.size() < what_.most_waiting;
      });
    }
    std::vector<std::uint8_t> outputs(chunk.count * out_.stride);
    std::vector<std::uint8_t> digests(chunk.count * kDigestSize);
    {
      const RecordFile file(chunk.path, chunk.count, sessions_.first().inputs());
      std::atomic<std::size_t> next{0};
      in_threads(sessions_.count(), [&](std::size_t session) {
        const Block memory(batch_, in_.stride);
        std::size_t begin = 0;
        while ((begin = next.fetch_add(batch_)) < chunk.count)
          answer_batch(session, file, memory, chunk, begin, outputs.data(), digests.data());
      });
    }
    write_outputs(number, chunk, outputs);
    if (what_.wait && unlink(chunk.path.c_str())) throw cannot_write(chunk.path, errno);
  }

  void answer_batch(std::size_t session, const RecordFile& file, const Block& memory, const Chunk& chunk,
                    std::size_t begin, std::uint8_t* outputs, std::uint8_t* digests) {
    Engine& engine = sessions_.at(session);
    const std::size_t count = std::min(batch_, chunk.count - begin);
    std::vector<const std::uint8_t*> samples;
    for (std::size_t slot = 0; slot < count; ++slot) {
      file.read(begin + slot, memory.record(slot));
      samples.push_back(memory.record(slot));
    }
    engine.run(samples.data(), count);
    std::vector<mlperf::QuerySampleResponse> responses;
    for (std::size_t slot = 0; slot < count; ++slot) {
      const std::size_t place = begin + slot;
      std::uint8_t* record = outputs + place * out_.stride;
      for (std::size_t i = 0; i < engine.outputs().size(); ++i)
        std::memcpy(record + out_.offsets[i], engine.output(slot, i), engine.outputs()[i].bytes);
      std::uint8_t* digest = digests + place * kDigestSize;
      sha256(record, out_.stride, digest);
      responses.push_back({ids_[chunk.first + place], reinterpret_cast<std::uintptr_t>(digest), kDigestSize});
    }
    mlperf::QuerySamplesComplete(responses.data(), count);  // copies the digests
    done_ += count;
  }

  // In place as a whole, or not at all.
  void write_outputs(std::size_t number, const Chunk& chunk, const std::vector<std::uint8_t>& outputs) {
    const std::string name = std::to_string(number) + ".bin";
    const std::string path = what_.outputs + "/" + name, part = what_.outputs + "/." + name;
    const int fd = open(part.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
    if (fd < 0) throw cannot_write(part, errno);
    const std::uint8_t* data = outputs.data();
    std::size_t left = outputs.size();
    while (left) {
      const ssize_t written = write(fd, data, left);
      if (written < 0 && errno == EINTR) continue;
      if (written <= 0) {
        const int error = errno;
        close(fd);
        unlink(part.c_str());
        throw cannot_write(path, error);
      }
      data += written;
      left -= static_cast<std::size_t>(written);
    }
    if (close(fd) || rename(part.c_str(), path.c_str())) throw cannot_write(path, errno);
    written_.push_back(path);
    channel_.send({{"event", "chunk"},
                   {"number", number},
                   {"first", chunk.first},
                   {"count", chunk.count},
                   {"bytes", outputs.size()}});
  }

  template <typename Ready>
  void wait_for(const std::string& what, Ready ready) {
    if (ready()) return;
    watch_.waiting(what);
    const auto start = Clock::now();
    while (!ready()) {
      if (what_.wait_s > 0.0 && seconds_since(start) > what_.wait_s)
        throw Failure("runner-host-silent", kData,
                      "the host did not come for " + std::to_string(static_cast<long>(what_.wait_s)) +
                          " s (waiting for: " + what + ")",
                      "keep the device connected, or run again");
      std::this_thread::sleep_for(kPoll);
    }
    waited_s_ += seconds_since(start);
    watch_.waiting("");
  }

  Channel& channel_;
  const Accuracy& what_;
  const std::size_t batch_;
  const Sessions& sessions_;
  Watch& watch_;
  const Layout in_, out_;
  std::vector<mlperf::ResponseId> ids_;
  std::deque<std::string> written_;
  std::atomic<std::size_t> done_{0};
  double waited_s_ = 0.0;
};

}  // namespace

void measure_accuracy(const Plan& plan, Sessions& sessions, Channel& channel, Watch& watch) {
  const Accuracy& what = plan.accuracy;
  const mlperf::TestSettings settings = test_settings(what.settings, mlperf::TestMode::AccuracyOnly);
  if (plan.generations) sessions.use(plan.generations->accuracy);
  make_folder(what.outputs);
  Chunks chunks(channel, plan, sessions, watch);
  Qsl samples(channel, what.total, what.total, [](const std::vector<mlperf::QuerySampleIndex>&) {});
  watch.phase("accuracy", what.total, [&] { return chunks.done(); });
  const auto start = Clock::now();
  run_loadgen(chunks, samples, settings, what.logs);
  const double duration = seconds_since(start);
  watch.phase("load");  // `chunks` is gone after this function: its progress must not be asked for
  channel.measured("runner_accuracy", {{"samples", chunks.done()},
                                       {"duration_s", duration},
                                       {"sessions", sessions.count()},
                                       {"waited_s", chunks.waited_s()}});
}

}  // namespace runner
