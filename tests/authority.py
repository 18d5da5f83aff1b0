"""An authority of our own, with the certificates that a server and a client need, made by OpenSSL."""

import subprocess
from pathlib import Path


def make_authority(folder: Path) -> Path:
    """Make `ca`, `server` (for localhost alone), `client`, and `other`, an authority that nobody used."""
    folder.chmod(0o755)
    folder.parent.chmod(0o755)
    run = "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2"
    for name in ("ca", "other"):
        extra = "-addext basicConstraints=critical,CA:TRUE -addext keyUsage=critical,keyCertSign,cRLSign"
        make(folder, f"{run} -keyout {name}.key -out {name}.pem -subj /CN={name} {extra}")
    for name, alt in (("server", "DNS:localhost"), ("client", "DNS:stocksync")):
        signed = f"-CA ca.pem -CAkey ca.key -addext subjectAltName={alt} -addext basicConstraints=CA:FALSE"
        make(folder, f"{run} -keyout {name}.key -out {name}.pem -subj /CN=stocksync {signed}")
    return folder


def make(folder: Path, command: str) -> None:
    """Run one command of OpenSSL in a folder."""
    subprocess.run(command.split(), cwd=folder, check=True, capture_output=True)
