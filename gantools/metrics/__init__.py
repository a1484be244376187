"""Measures of pictures and of samples, without any download. A leaf: numpy and OpenCV, no keras.

pixels: PSNR and SSIM on luma, as the super-resolution literature reports them.
"""
