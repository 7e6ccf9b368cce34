"""Features of query–product pairs for learning to rank; usable without `ltr`."""
