"""Measures of pictures and of samples, without any download. A leaf: numpy and OpenCV, no keras.

pixels: PSNR and SSIM on luma, as the super-resolution literature reports them.
niqe: how unlike a sharp photograph a picture is, without a reference.
spectra: energy of each octave of frequencies beside that of the true picture.
patches: distance between the patches of two pictures, wherever they lie.
distributions: distances between sets of feature vectors.
detection: AUROC, average precision, region overlap and their intervals, for anomaly detectors.
"""
