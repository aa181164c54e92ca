"""Leaks: what a model could only know because the outcome was known when the data was made.

The checks look at the same `Case`. Each is put to the test in every run by leaks planted beside
the real columns: an audit that misses its own leak does not pass.

Nothing is imported here: the settings import `spec`, and must not wait for what the checks need.
"""
