"""The long-running process: timers, the durable queue, signals, health. It decides nothing about knowledge."""
