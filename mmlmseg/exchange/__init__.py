"""Labels of annotation tools: read from their own files, and results written so that the tools read them."""
