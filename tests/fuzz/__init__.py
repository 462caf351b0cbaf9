"""Coverage-guided fuzzing: every machine that reads what a peer wrote, under bytes that nobody chose.

A target is a function of bytes. It drives one machine with them and returns if all that came was allowed: values,
events, and the errors that the machine's docstring names. Anything else that is raised is a finding, an AssertionError
about the machine's own limits among them.

`make fuzz` runs the targets under atheris (scripts/fuzz says how); `test_targets.py` runs each of them over its seeds
in every test run, so that they cannot rot. What a fuzzer has found goes among the seeds, or becomes a test of its own.
"""
