"""What to do about the words with which a server, a pooler or the network turns a connection away."""

import re

_CURES = (
    (
        r"unsupported startup parameter: (?:options|search_path)",
        "a pooler refuses options and schema in the URL: take them out, and write the schema before the table's name",
    ),
    (
        r"transaction blocks not allowed in statement pooling",
        "the pooler must be in transaction or session mode (pool_mode)",
    ),
    (
        r"no encryption|SSL (?:connection is )?required|insecure transport",
        "add ?sslmode=require (MySQL: ?ssl-mode=REQUIRED) to the URL",
    ),
    (
        r"rejected SSL upgrade|offers no TLS",
        "turn TLS on at the server, or write sslmode=disable",
    ),
    (
        r"hostname mismatch|IP address mismatch|doesn't match",
        "the certificate is for another name: connect by that name, or write sslmode=verify-ca",
    ),
    (
        r"CERTIFICATE_VERIFY_FAILED|certificate verify failed",
        "name the authority's file in ?sslrootcert=… (MySQL: ?ssl-ca=…)",
    ),
    (
        r"requires a valid client certificate|certificate authentication failed",
        "name a certificate of yours in ?sslcert=…&sslkey=…",
    ),
    (
        r"password authentication failed|Access denied for user",
        "an @ : / ? # or % in the password is written %40 %3A %2F %3F %23 %25 (a user with a certificate: ?sslcert=…)",
    ),
)


def cured(words: str) -> str:
    """Add to a database's words what to do, where they are of a sort that is known."""
    for pattern, cure in _CURES:
        if re.search(pattern, words, re.IGNORECASE):
            return f"{words}; {cure}"
    return words
