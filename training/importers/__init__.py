"""Public data sets become manifests and DICOM films here; the only place in training that reads pictures."""
