"""What takes longer than a test: load and soak, fuzzing, the tests of other projects.

Everything here is bounded and repeatable. ``make soak``, ``make fuzz``, ``make linear`` and ``make
peers`` run it. Tests run a little of each, so that it keeps working.
"""
