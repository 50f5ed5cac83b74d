"""Steps: functions on the Protocols of :mod:`triage.services.ports`; one file a step."""
