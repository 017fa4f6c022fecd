"""What the device does during a run: frequencies, temperatures, power, memory, and throttling."""
