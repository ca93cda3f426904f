"""Rules of every connection: the offline switch, trusted certificates, the user agent.

Nothing here connects: `images.fetch` fetches pictures and `checkpoints.hub` weights, each only on request.
"""

import os
import ssl
from contextlib import suppress
from functools import cache

from seesay._version import __version__

USER_AGENT = f"SeeSay/{__version__}"


def offline() -> bool:
    """Whether SEESAY_OFFLINE=1 forbids every connection."""
    return env_flag("SEESAY_OFFLINE")


def env_flag(variable: str) -> bool:
    """Whether an environment variable is 1, true, yes or on."""
    return os.environ.get(variable, "").strip().lower() in ("1", "true", "yes", "on")


def tls_context() -> ssl.SSLContext:
    """TLS that trusts the system's certificates, or those of SSL_CERT_FILE and SSL_CERT_DIR."""
    return _tls_context(os.environ.get("SSL_CERT_FILE"), os.environ.get("SSL_CERT_DIR"))


@cache  # reading the certificates takes 50 ms
def _tls_context(file: str | None, folder: str | None) -> ssl.SSLContext:
    context = ssl.create_default_context()
    if file is None and folder is None and not context.cert_store_stats()["x509_ca"]:
        # OpenSSL found no authorities, as with python.org's Python for macOS. huggingface_hub brings one of these two.
        try:
            import truststore

            context = truststore.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        except ImportError:
            with suppress(ImportError):
                import certifi

                context.load_verify_locations(certifi.where())
    return context
