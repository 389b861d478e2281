"""Networks: torch modules and nothing else. Importing one of them loads torch."""
