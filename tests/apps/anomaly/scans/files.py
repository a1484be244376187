"""Small files of DICOM and NIfTI."""

import numpy as np


def write_dicom(path, pixels, **attributes):
    """Write a file of `dataset`."""
    path.parent.mkdir(parents=True, exist_ok=True)
    dataset(pixels, **attributes).save_as(path, enforce_file_format=True)
    return path


def dataset(pixels, *, modality="CT", number=1, series="1.2.3", patient="p", **more):
    """Return a data set of `(h, w)` or `(frames, h, w)` pixels of 16 bits.

    An attribute that is None goes.
    """
    from pydicom.dataset import Dataset, FileMetaDataset
    from pydicom.uid import ExplicitVRLittleEndian, generate_uid

    data = Dataset()
    data.file_meta = FileMetaDataset()
    data.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    kind = more.pop("SOPClassUID", "1.2.840.10008.5.1.4.1.1.2")
    data.SOPClassUID = data.file_meta.MediaStorageSOPClassUID = kind
    data.SOPInstanceUID = data.file_meta.MediaStorageSOPInstanceUID = generate_uid()
    data.SeriesInstanceUID, data.PatientID = series, patient
    data.Modality, data.InstanceNumber = modality, number
    data.Rows, data.Columns = pixels.shape[-2:]
    if pixels.ndim == 3:
        data.NumberOfFrames = len(pixels)
    data.SamplesPerPixel, data.PhotometricInterpretation = 1, "MONOCHROME2"
    data.BitsAllocated = data.BitsStored = 16
    data.HighBit, data.PixelRepresentation = 15, int(pixels.dtype.kind == "i")
    data.PixelData = pixels.tobytes()
    for name, value in more.items():
        if value is None:
            delattr(data, name)
        else:
            setattr(data, name, value)
    return data


def write_nifti(path, random, slices=3):
    """Write a volume `(20, 24, slices)`; what `random` draws keeps volumes apart."""
    import nibabel

    x, y = np.mgrid[-1:1:20j, -1:1:24j]
    ball = ((x**2 + y**2) < 0.6)[..., None] * (100 + random.normal(0, 6, (20, 24, slices)))
    path.parent.mkdir(parents=True, exist_ok=True)
    nibabel.save(nibabel.Nifti1Image(ball.astype(np.float32), np.diag([1.0, 1, 4, 1])), path)
    return path
