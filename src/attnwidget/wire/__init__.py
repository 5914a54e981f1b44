"""The messages between Python and the page: names, packing, parsing."""
