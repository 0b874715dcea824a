"""The write-ahead submission engine: signed bytes are committed before they go out."""
