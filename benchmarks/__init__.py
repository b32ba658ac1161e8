"""Speed, memory and errors of Eleven beside plain implementations of what other tools do; `python -m benchmarks`."""
