"""Android phones as devices of mlperf-mobile, over the ``adb`` binary."""
