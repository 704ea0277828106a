"""The nouns: frozen, typed, no I/O, no clock. Reading this folder is reading the glossary."""
