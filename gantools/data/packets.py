"""The few things in an XMP packet that must change when a picture does."""

import re

# A property stands as an attribute or as an element.
ORIENTATION = re.compile(rb"(tiff:Orientation(?:\s*=\s*[\"']|\s*>)\s*)[2-8](?!\d)")
EXTENSION = re.compile(
    rb"\s*xmpNote:HasExtendedXMP\s*=\s*(?:\"[^\"]*\"|'[^']*')"
    rb"|<xmpNote:HasExtendedXMP\s*>[^<]*</xmpNote:HasExtendedXMP\s*>"
)


def upright(xmp):
    """Return a packet (bytes or None) that says that the pixels stand upright."""
    return xmp and ORIENTATION.sub(rb"\g<1>1", xmp)


def alone(xmp):
    """Return a packet (bytes or None) without the link to its extension, which is not read."""
    return xmp and EXTENSION.sub(b"", xmp)
