"""Airflow is not in the environment that collects doctests here."""

collect_ignore = ["pql_dags.py"]
