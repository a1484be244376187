"""Measures of pictures and of samples, without any download. A leaf: numpy and OpenCV, no keras.

pixels: PSNR and SSIM on luma, as the super-resolution literature reports them.
distributions: distances between sets of feature vectors.
detection: AUROC, average precision, region overlap and their intervals, for anomaly detectors.
"""
