"""What a run looks like: outputs in, text for a terminal, a pipe or a machine out."""
