"""Fixtures of `files.py`, for where the readers are installed."""

import pytest

from .files import write_dicom, write_nifti


@pytest.fixture
def dicom_file():
    """Return a function that writes one DICOM file: see `write_dicom`."""
    pytest.importorskip("pydicom")
    return write_dicom


@pytest.fixture
def nifti_file():
    """Return a function that writes one NIfTI volume of a bright cylinder: see `write_nifti`."""
    pytest.importorskip("nibabel")
    return write_nifti
