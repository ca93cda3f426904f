"""What every connection has in common: whether one may be made, whom it trusts, what it calls itself.

Nothing here connects. Pictures are fetched by `images.fetch`, weights by `download`, and each only when it is asked for.
"""

import os
import ssl
from contextlib import suppress
from functools import cache

from seesay._version import __version__

USER_AGENT = f"SeeSay/{__version__}"


def offline() -> bool:
    """SEESAY_OFFLINE=1: no connection is made, whatever is asked for."""
    return truthy("SEESAY_OFFLINE")


def truthy(variable: str) -> bool:
    return os.environ.get(variable, "").strip().lower() in ("1", "true", "yes", "on")


def trusted() -> ssl.SSLContext:
    """Which certificates are believed: those the system trusts; SSL_CERT_FILE and SSL_CERT_DIR are honoured."""
    return _trusted(os.environ.get("SSL_CERT_FILE"), os.environ.get("SSL_CERT_DIR"))


@cache  # by what it depends on: reading the certificates takes 50 ms
def _trusted(file: str | None, folder: str | None) -> ssl.SSLContext:
    context = ssl.create_default_context()
    if file is None and folder is None and not context.cert_store_stats()["x509_ca"]:
        # OpenSSL found no list of authorities, as under python.org's Python for macOS. One of these came with huggingface_hub.
        try:
            import truststore

            context = truststore.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        except ImportError:
            with suppress(ImportError):
                import certifi

                context.load_verify_locations(certifi.where())
    return context
