"""Public doubles for tests: providers, observers and tools without the network."""
