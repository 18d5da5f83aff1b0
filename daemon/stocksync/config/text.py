"""What editors and copying leave in a text without anyone seeing it: understood, or named with its position."""

import codecs
import re
import unicodedata

_TYPOGRAPHIC = "\u2018\u2019\u201a\u201c\u201d\u201e\u00ab\u00bb"
_QUOTES = "\"'`" + _TYPOGRAPHIC
_WIDE = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE, codecs.BOM_UTF32_BE)
# Comments and strings of TOML; what is neither is its syntax.
_TOKENS = re.compile(r'"""[\s\S]*?"""|' + r"'''[\s\S]*?'''" + r'|"(?:\\.|[^"\\\n])*"|' + r"'[^'\n]*'|#[^\n]*")


def decoded(content: bytes) -> str:
    """Give a file's text, without a byte order mark.

    Raises:
        ValueError: it is not UTF-8; the message says what to do.

    """
    if content.startswith(_WIDE) or (b"\0" in content[:4] and len(content) % 2 == 0):
        raise ValueError("is UTF-16 text: save it as UTF-8")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise ValueError("is not UTF-8 text: save it as UTF-8") from None


def stray(value: str) -> str:
    """Say what a value must not hold; empty where all is well. The value itself is not shown."""
    for end, char in (("begins", value[:1]), ("ends", value[-1:])):
        if char and char in _QUOTES:
            return f"the value {end} with a quote: remove it"
    for position, char in enumerate(value, 1):
        if _invisible(char):
            return f"holds {_named(char)} as character {position}: remove it"
    return ""


def strays_in_toml(text: str) -> list[str]:
    r"""Find, with line and column, what is seen as something else: a mark that is meant is written \u200B."""
    syntax = _TOKENS.sub(lambda token: re.sub(r"[^\n]", " ", token[0]), text)
    strings = _TOKENS.sub(lambda token: re.sub(r"[^\n]", " ", token[0]) if token[0].startswith("#") else token[0], text)
    found: list[str] = []
    for number, (line, whole) in enumerate(zip(syntax.split("\n"), strings.split("\n"), strict=True), 1):
        found += [
            f"line {number}, column {column}: a typographic quote {char}: write a plain one"
            for column, char in enumerate(line, 1)
            if char in _TYPOGRAPHIC
        ]
        found += [
            f"line {number}, column {column}: {_named(char)}: remove it, or write \\u{ord(char):04X} where it is meant"
            for column, char in enumerate(whole, 1)
            if _invisible(char) and ord(char) <= 0xFFFF  # noqa: PLR2004  what \u can write
        ]
    return found


def _invisible(char: str) -> bool:
    # Joiners belong to the spelling of Persian, Indian languages and emoji; spaces and line ends are seen.
    if char in " \t\n\r\u200c\u200d":
        return False
    return unicodedata.category(char) in {"Cf", "Zs", "Zl", "Zp", "Cc"}


def _named(char: str) -> str:
    name = unicodedata.name(char, "a control character").lower()
    return f"an invisible character ({name}, U+{ord(char):04X})"
