// Stands in for AsyncLog::RecordSampleCompletion in loadgen.cc, which the build compiles with the same macro.
//
// With the macro, logging.h declares a function of another name, which is defined here. loadgen_record.cc, compiled
// without it, calls the real one. A LoadGen with another signature does not link.
#include "latencies.h"
#include "logging.h"

namespace runner {
void record(mlperf::logging::AsyncLog& log, std::uint64_t sequence_id, mlperf::PerfClock::time_point completed,
            mlperf::QuerySampleLatency latency, std::int64_t tokens);
}

namespace mlperf {
namespace logging {

void AsyncLog::RecordSampleCompletion(std::uint64_t sequence_id, PerfClock::time_point completed,
                                      QuerySampleLatency latency, std::int64_t tokens) {
  runner::Latencies::of_process().add(latency);
  runner::record(*this, sequence_id, completed, latency, tokens);
}

}  // namespace logging
}  // namespace mlperf
