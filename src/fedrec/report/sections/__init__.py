"""The parts of the page, one file each; every one returns nothing where the document has nothing to say."""
