"""A triage service for chest X-rays.

A film's way, left to right; each word is the type that crosses the arrow::

    association -> bytes -> Instance -> Job(study) -> Dataset -> InputTensor -> InstanceScore
                -> Assessment -> level, key -> WorklistItem

``dimse`` receives, ``archive`` makes the bytes durable, ``database`` indexes them and puts the study on the list in
the same transaction, ``worker`` claims the job, ``imaging`` turns pixels into a tensor, ``inference`` scores it,
``domain`` decides the place, ``web`` shows the list. ``services`` are the steps, ``bootstrap`` wires them, ``cli``
speaks to people. Four roles (intake, worker, web, scheduler) share only the database and two directories.
"""

__version__ = "0.1.0"
