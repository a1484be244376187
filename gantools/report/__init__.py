"""Self-contained HTML pages: no request ever leaves them.

page   a page of sections, tables and pictures
svg    small charts as inline SVG
"""
