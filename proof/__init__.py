"""What takes longer than a test: load and soak, fuzzing. Everything here is bounded and repeatable.

``make soak`` and ``make fuzz`` run it. A test runs a few requests and inputs of each, so that it
keeps working.
"""
