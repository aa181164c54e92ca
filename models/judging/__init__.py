"""What scores are worth on rows that nothing was chosen on."""
