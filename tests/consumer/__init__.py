"""What programs get from the registered model, without this project."""
