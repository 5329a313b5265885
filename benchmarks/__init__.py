"""How fast it is, against the limit and against other libraries: ``python -m benchmarks --help``."""
