// Calls LoadGen's own functions; see loadgen_hook.cc.
#include "logging.h"

namespace runner {

void record(mlperf::logging::AsyncLog& log, std::uint64_t sequence_id, mlperf::PerfClock::time_point completed,
            mlperf::QuerySampleLatency latency, std::int64_t tokens) {
  log.RecordSampleCompletion(sequence_id, completed, latency, tokens);
}

void record_first(mlperf::logging::AsyncLog& log, std::uint64_t sequence_id, mlperf::PerfClock::time_point completed,
                  mlperf::QuerySampleLatency latency) {
  log.RecordTokenCompletion(sequence_id, completed, latency);
}

}  // namespace runner
