"""The commands of `restoration`, a module each: `run` takes the parsed arguments and returns the exit code."""

SOME_FAILED = 1
