"""Text that every database can keep."""

REPLACEMENT = "\ufffd"


def storable(text: str) -> str:
    r"""``text``; half a surrogate pair written as ``\udc80`` (UTF-8 has none), NUL as U+FFFD (PostgreSQL has none).

    What is kept has to be said by one function: an audit record's digest covers its text as it is kept.
    """
    if text.isascii() and "\0" not in text:
        return text
    return text.encode("utf-8", "backslashreplace").decode("utf-8").replace("\0", REPLACEMENT)
