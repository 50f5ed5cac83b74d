"""Objects made of results: DICOM SR, a page, a presentation state. The only room for highdicom."""
