"""Behaviour thresholds that precede conversion, found by evidence that could also say: none."""
