// The performance run: warm-up, LoadGen's test, and the repetition of its first and last calls.
#pragma once

#include "channel.h"
#include "plan.h"
#include "sessions.h"
#include "watch.h"

namespace runner {

void measure_performance(const Plan& plan, Sessions& sessions, Channel& channel, Watch& watch);

}  // namespace runner
