// The accuracy run: every sample once, chunk by chunk, with the outputs in files for the host.
#pragma once

#include "channel.h"
#include "plan.h"
#include "sessions.h"
#include "watch.h"

namespace runner {

void measure_accuracy(const Plan& plan, Sessions& sessions, Channel& channel, Watch& watch);

}  // namespace runner
