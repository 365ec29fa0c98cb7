"""Compare the pictures that cells draw. nbval looks at text alone.

Two machines never draw the same bytes (fonts, libraries), so a picture is compared as a
thumbnail: it must be there, hold something, have the stored one's shape and look like it.
"""

import base64
import io
from collections.abc import Sequence

from nbformat import NotebookNode
from PIL import Image, ImageChops, ImageStat

IMAGE_TYPES = ("image/png", "image/jpeg")
THUMBNAIL = (48, 48)  # pixels
LARGEST_DIFFERENCE = 12.0  # mean grey levels of 255 between two thumbnails
LARGEST_STRETCH = 0.05  # relative difference of width or height


def compare(new: Sequence[NotebookNode], stored: Sequence[NotebookNode]) -> list[str]:
    """Say what is wrong with the pictures of a cell.

    Args:
        new: Outputs of the run.
        stored: Outputs of the reference.

    Returns:
        One sentence a fault; empty if the pictures are as they should be.
    """
    ours, theirs = _images(new), _images(stored)
    if len(ours) != len(theirs):
        return [f"{len(theirs)} picture(s) are stored, the run drew {len(ours)}"]
    faults = []
    for number, (image, reference) in enumerate(zip(ours, theirs, strict=True), start=1):
        faults += [f"picture {number}: {fault}" for fault in _compare_pair(image, reference)]
    return faults


def _images(outputs: Sequence[NotebookNode]) -> list[bytes]:
    return [
        base64.b64decode(output["data"][kind])
        for output in outputs
        for kind in IMAGE_TYPES
        if kind in output.get("data", {})
    ]


def _compare_pair(new: bytes, stored: bytes) -> list[str]:
    try:
        image, reference = _open(new), _open(stored)
    except OSError as error:
        return [f"cannot be read ({error})"]
    if _is_blank(image):
        return ["the run drew a blank picture"]
    if _is_blank(reference):
        return ["the stored picture is blank"]
    stretch = max(
        abs(ours / theirs - 1) for ours, theirs in zip(image.size, reference.size, strict=True)
    )
    if stretch > LARGEST_STRETCH:
        return [f"is {image.size} pixels, stored {reference.size}"]
    difference = ImageChops.difference(image.resize(THUMBNAIL), reference.resize(THUMBNAIL))
    mean = ImageStat.Stat(difference).mean[0]
    if mean > LARGEST_DIFFERENCE:
        return [f"does not look like the stored one (mean difference {mean:.1f} of 255)"]
    return []


def _open(data: bytes) -> Image.Image:
    image = Image.open(io.BytesIO(data)).convert("RGBA")
    white = Image.new("RGBA", image.size, "white")
    return Image.alpha_composite(white, image).convert("L")


def _is_blank(image: Image.Image) -> bool:
    darkest, brightest = image.getextrema()
    return brightest - darkest < 8
