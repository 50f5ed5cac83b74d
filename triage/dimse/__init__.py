"""The DICOM side: the only package that imports pynetdicom."""
