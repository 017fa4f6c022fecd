// Stands in for AsyncLog::RecordSampleCompletion and RecordTokenCompletion in loadgen.cc, which the build compiles with
// the same macros.
//
// With the macros, logging.h declares functions of other names, which are defined here. loadgen_record.cc, compiled
// without them, calls the real ones. A LoadGen with other signatures does not link.
#include "answers.h"
#include "latencies.h"
#include "logging.h"

namespace runner {
void record(mlperf::logging::AsyncLog& log, std::uint64_t sequence_id, mlperf::PerfClock::time_point completed,
            mlperf::QuerySampleLatency latency, std::int64_t tokens);
void record_first(mlperf::logging::AsyncLog& log, std::uint64_t sequence_id, mlperf::PerfClock::time_point completed,
                  mlperf::QuerySampleLatency latency);
}

namespace mlperf {
namespace logging {

void AsyncLog::RecordSampleCompletion(std::uint64_t sequence_id, PerfClock::time_point completed,
                                      QuerySampleLatency latency, std::int64_t tokens) {
  runner::Latencies::of_process().add(latency);
  runner::record(*this, sequence_id, completed, latency, tokens);
}

void AsyncLog::RecordTokenCompletion(std::uint64_t sequence_id, PerfClock::time_point completed,
                                     QuerySampleLatency latency) {
  runner::Answers::of_process().first(latency);
  runner::record_first(*this, sequence_id, completed, latency);
}

}  // namespace logging
}  // namespace mlperf
