"""The Spark engine: reading, shuffle and cluster from Spark, every number from this project."""
