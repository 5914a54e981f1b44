"""BertViz's views of a source as documents that need no network."""
