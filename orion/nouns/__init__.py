"""The nouns of the command line, one file each; `register` adds its commands."""
