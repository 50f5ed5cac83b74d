"""DICOMweb (PS3.18): the list in reading order, headers and films for any viewer, and films in; one file a step."""
