"""Many runs in a row, and what is left of them: nothing, on either side.

A run is a plugin's whole life: its launch with AutoMTLS and over one connection, calls, brokered connections both ways,
and its end when it is asked for; or it is one brokered connection each way with a plugin that goes on living. What
counts is what the processes that stay have open before and after: files, sockets, threads, goroutines, tasks.

`make soak` does a thousand of each (scripts/soak says how); `test_soak.py` does a few in every test run.
"""
