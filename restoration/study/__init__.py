"""What a study found: runs, statistics, claims, tables, figures, the report."""
