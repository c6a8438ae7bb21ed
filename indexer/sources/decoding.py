"""Bytes to text: the encoding found, mojibake repaired, line ends made one kind."""

import codecs
import re

from retrieval.errors import Skipped

_SAMPLE_BYTES = 65_536
_BOMS = (  # UTF-32 first: its mark begins with that of UTF-16
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_MAGIC = {
    b"\x89PNG\r\n": "a PNG image",
    b"\xff\xd8\xff": "a JPEG image",
    b"GIF87a": "a GIF image",
    b"GIF89a": "a GIF image",
    b"PK\x03\x04": "a ZIP archive or office file",
    b"\x1f\x8b": "gzip data",
    b"BZh9": "bzip2 data",
    b"\xfd7zXZ": "xz data",
    b"\x28\xb5\x2f\xfd": "zstd data",
    b"7z\xbc\xaf": "a 7z archive",
    b"%PDF-": "a PDF",
    b"\x7fELF": "a program",
    b"\xcf\xfa\xed\xfe": "a program",
    b"\xca\xfe\xba\xbe": "a program",
    b"\x00asm": "a program",
    b"SQLite format 3": "a SQLite database",
    b"wOFF": "a font",
    b"wOF2": "a font",
    b"OggS": "a sound or film",
    b"fLaC": "a sound or film",
    b"ID3": "a sound or film",
    b"\xd0\xcf\x11\xe0": "an old office file",
    b"{\\rtf": "a rich-text file",
}
_CONTROLS = re.compile(r"[\x00-\x08\x0e-\x1a\x1c-\x1f\x7f]")
_HIGH = re.compile(rb"[\x80-\xff]+")
_LINE_ENDS = re.compile(r"\r\n?")


def decoded(data: bytes) -> str:
    """Return the text of a file: any encoding, double-encoded text repaired, every line end a newline.

    Raises Skipped for binary data, saying what it is. Every bytes value otherwise gives text.
    """
    if (binary := binary_reason(data)) is not None:
        raise Skipped(f"It is binary ({binary}), not text.")
    text = _unicode(data)
    sample = text[:_SAMPLE_BYTES]
    if len(_CONTROLS.findall(sample)) > len(sample) * 0.05:
        raise Skipped("It is binary (control characters throughout), not text.")
    return repaired(_LINE_ENDS.sub("\n", text).replace("\x00", "").removeprefix("\ufeff"))


def binary_reason(data: bytes) -> str | None:
    """Say what kind of binary this is, or None where it may be text; looks at the first 64 KiB only."""
    if any(data.startswith(bom) for bom, _ in _BOMS):
        return None
    for magic, what in _MAGIC.items():
        if data.startswith(magic):
            return what
    head = data[:_SAMPLE_BYTES]
    if b"\x00" in head and _wide_encoding(head) is None:
        return "NUL bytes"
    return None


def repaired(text: str) -> str:
    """Undo double encoding ("cafÃ©"), and nothing else: quotes, ligatures, entities and code stay as written."""
    if text.isascii():
        return text
    from ftfy.badness import is_bad

    lines = text.split("\n")
    if not is_bad("\n".join(line for line in lines if not line.isascii())):
        return text
    return "\n".join(_unmixed(line) if is_bad(line) else line for line in lines)


def _unmixed(line: str) -> str:
    from ftfy import TextFixerConfig, fix_text

    config = TextFixerConfig(
        unescape_html=False,
        remove_terminal_escapes=False,
        fix_latin_ligatures=False,
        fix_character_width=False,
        uncurl_quotes=False,
        fix_line_breaks=False,
        fix_surrogates=False,
        remove_control_chars=False,
        normalization=None,
        explain=False,
    )
    return fix_text(line, config)


def _unicode(data: bytes) -> str:
    for bom, encoding in _BOMS:
        if data.startswith(bom):
            return data.decode(encoding, "replace")
    if b"\x00" in data[:_SAMPLE_BYTES] and (wide := _wide_encoding(data[:_SAMPLE_BYTES])):
        return data.decode(wide, "replace")
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as error:
        return _legacy(data, error.start)


def _wide_encoding(head: bytes) -> str | None:
    """Recognise UTF-16 without a mark: in text with Latin letters one byte of most pairs is zero."""
    half = max(1, len(head) // 2)
    even, odd = head[0::2].count(0) / half, head[1::2].count(0) / half
    if odd > 0.4 and even < 0.05:
        return "utf-16-le"
    if even > 0.4 and odd < 0.05:
        return "utf-16-be"
    return None


def _legacy(data: bytes, first_bad: int) -> str:
    """Decode what is not UTF-8: UTF-8 with a few broken bytes, or else the most plausible old encoding."""
    lenient = data.decode("utf-8", "replace")
    broken = lenient.count("\ufffd")
    good = sum(1 for character in lenient if character > "\x7f") - broken
    if good > 3 * broken:
        return lenient
    start = max(0, first_bad - _SAMPLE_BYTES // 2)
    encoding = _guessed(data[start : start + _SAMPLE_BYTES])
    return data.decode(encoding, "replace")


def _guessed(sample: bytes) -> str:
    """Guess an encoding; where Western European fits as well as the best guess, it is that."""
    high = _HIGH.findall(sample)
    if len(high) <= 8 and max(map(len, high)) <= 2:
        return "cp1252"  # a few accents in plain letters are too little to guess from
    from charset_normalizer import from_bytes

    matches = from_bytes(sample)
    best = matches.best()
    if best is None:
        return "cp1252"
    western = next((match for match in matches if match.encoding == "cp1252"), None)
    if western is not None and western.chaos <= best.chaos and western.coherence >= best.coherence:
        return "cp1252"
    return best.encoding
