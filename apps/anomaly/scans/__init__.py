"""DICOM and NIfTI: headers, pixels, volumes, and the patient in them."""
