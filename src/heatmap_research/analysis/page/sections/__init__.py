"""The page's sections, a file each; errors and provenance are two."""
