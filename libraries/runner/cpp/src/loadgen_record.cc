// Calls LoadGen's own RecordSampleCompletion; see loadgen_hook.cc.
#include "logging.h"

namespace runner {

void record(mlperf::logging::AsyncLog& log, std::uint64_t sequence_id, mlperf::PerfClock::time_point completed,
            mlperf::QuerySampleLatency latency, std::int64_t tokens) {
  log.RecordSampleCompletion(sequence_id, completed, latency, tokens);
}

}  // namespace runner
