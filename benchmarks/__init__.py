"""What our filters cost, measured against hand-written WSGI and against their peers.

``make bench`` and its siblings run the commands in here; ``RESULTS.md`` is what they wrote last.
"""
