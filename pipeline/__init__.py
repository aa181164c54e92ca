"""Settings, sources, files, command line, MLflow: the order of steps. No formula lives here."""
