"""The tests, and what they share: ``conftest``, ``wsgi`` and ``ini``."""
