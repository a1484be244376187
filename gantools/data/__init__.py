"""Data in and out: pictures, folders, tables, synthetic sets. A leaf: numpy and OpenCV, no keras.

Pictures are channels last and RGB from here on; a picture's depth is its dtype, never its maximum.
"""
