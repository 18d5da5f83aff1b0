"""Secrets as they come from the environment or a file."""

from collections.abc import Callable

from stocksync.errors import Unauthorized


def secret_of(read_secret: Callable[[], str]) -> str:
    """Read a secret, without the line's end; the error never shows it.

    Raises:
        Unauthorized: it cannot be read, is empty, or fits into no header.

    """
    try:
        secret = read_secret().strip()
    except Exception as error:
        place = getattr(error, "filename", None) or "check the account's auth section"
        raise Unauthorized(f"the secret could not be read ({type(error).__name__}): {place}") from error
    if not secret:
        raise Unauthorized("the secret is empty: set it where the account's auth section points")
    if not (secret.isascii() and secret.isprintable()):
        raise Unauthorized("the secret holds characters that no HTTP header can carry")
    return secret
