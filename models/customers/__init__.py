"""Comparison with the customers known at each as_of."""
