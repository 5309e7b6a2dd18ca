"""What an observer sees: statistics from the store and the state of the daemon. It changes nothing."""
