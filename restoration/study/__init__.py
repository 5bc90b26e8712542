"""Results of a study: runs, statistics, claims, tables, figures, the report."""
