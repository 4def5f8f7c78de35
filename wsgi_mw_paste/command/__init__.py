"""The command ``wsgi-mw-paste``: what it finds out about a deployment, and how it says that.

No module of the library imports this package; the playground does.
"""
