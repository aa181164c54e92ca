"""The measured processes of the project's own environment: ours, the floor, a bare fill."""
