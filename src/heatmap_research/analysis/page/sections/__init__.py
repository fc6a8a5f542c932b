"""The page's sections, one in each file; errors and provenance have two."""
