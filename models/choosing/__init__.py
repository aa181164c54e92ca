"""What is chosen on rows before the test: the rung of the ladder, and settings of the trees."""
