"""What is offered: SOP classes and transfer syntaxes, in the order in which the acceptor prefers them."""

from triage.domain.ours import RESULT_CLASSES

VERIFICATION = "1.2.840.10008.1.1"

STORAGE_CLASSES: dict[str, str] = {
    "1.2.840.10008.5.1.4.1.1.1": "Computed Radiography Image Storage",
    "1.2.840.10008.5.1.4.1.1.1.1": "Digital X-Ray Image Storage - For Presentation",
    "1.2.840.10008.5.1.4.1.1.1.1.1": "Digital X-Ray Image Storage - For Processing",
    "1.2.840.10008.5.1.4.1.1.7": "Secondary Capture Image Storage",
}
"""Few on purpose: nothing else is a chest film."""

UNCOMPRESSED = ("1.2.840.10008.1.2.1", "1.2.840.10008.1.2")
"""Explicit and Implicit VR Little Endian."""

TRANSFER_SYNTAXES: dict[str, str] = {
    "1.2.840.10008.1.2.4.80": "JPEG-LS Lossless",
    "1.2.840.10008.1.2.4.70": "JPEG Lossless, Non-Hierarchical, First-Order Prediction",
    "1.2.840.10008.1.2.4.57": "JPEG Lossless, Non-Hierarchical",
    "1.2.840.10008.1.2.4.90": "JPEG 2000 Lossless",
    "1.2.840.10008.1.2.4.201": "HTJ2K Lossless",
    "1.2.840.10008.1.2.4.202": "HTJ2K Lossless RPCL",
    "1.2.840.10008.1.2.4.203": "HTJ2K",
    "1.2.840.10008.1.2.4.91": "JPEG 2000",
    "1.2.840.10008.1.2.4.81": "JPEG-LS Near-lossless",
    "1.2.840.10008.1.2.4.50": "JPEG Baseline",
    "1.2.840.10008.1.2.4.51": "JPEG Extended",
    "1.2.840.10008.1.2.5": "RLE Lossless",
    "1.2.840.10008.1.2.1": "Explicit VR Little Endian",
    "1.2.840.10008.1.2": "Implicit VR Little Endian",
}
"""Compressed and Explicit first, or senders would decompress. Never deflated: 1 MB of it can become 2 GB."""


OFFERED: dict[str, tuple[str, ...]] = {
    **dict.fromkeys(STORAGE_CLASSES, tuple(TRANSFER_SYNTAXES)),
    # a PACS that routes a whole study back would call a refused context a failure; what comes is dropped where it is ours
    **dict.fromkeys(RESULT_CLASSES, UNCOMPRESSED),
    VERIFICATION: UNCOMPRESSED,
}
"""Transfer syntaxes by abstract syntax: all that is ever accepted."""
