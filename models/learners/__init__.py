"""Learners of every rung of the ladder, from encoded columns to raw scores."""
