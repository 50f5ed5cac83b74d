"""Why a TLS handshake failed, in one line for the log and the administrator."""

import ssl
from collections.abc import Mapping

BY_VERIFICATION: Mapping[int, str] = {
    3: "no revocation list of the authority that issued its certificate",
    7: "its certificate was altered: the signature does not fit",
    8: "the revocation list's signature does not fit",
    9: "its certificate is not yet valid; compare the clocks",
    10: "its certificate is expired",
    11: "the revocation list is not yet valid; compare the clocks",
    12: "the revocation list ran out: every certificate is refused until there is a newer one",
    18: "its certificate is self-signed, and not among dimse.tls.ca",
    19: "its certificate comes from an authority that is not among dimse.tls.ca",
    20: "its certificate comes from an authority that is not among dimse.tls.ca",
    21: "its certificate comes from an authority that is not among dimse.tls.ca",
    23: "its certificate is revoked",
    24: "its certificate was issued by one that is no authority",
    26: "its certificate may not be used for this role (extended key usage)",
    62: "its certificate is for another host",
    66: "its certificate's key is too weak",
    67: "its authority's key is too weak",
    68: "its certificate is signed with a weak digest",
    79: "its certificate was issued by one that is no authority",
}
"""What OpenSSL finds of the peer's certificate (X509_V_ERR_…)."""

BY_REASON: Mapping[str, str] = {
    "PEER_DID_NOT_RETURN_A_CERTIFICATE": "it gave no certificate",
    "HTTP_REQUEST": "it spoke HTTP on the TLS port",
    "HTTPS_PROXY_REQUEST": "it spoke HTTP on the TLS port",
    "WRONG_VERSION_NUMBER": "it spoke no TLS: plain DICOM to the TLS port?",
    "UNKNOWN_PROTOCOL": "it spoke no TLS: plain DICOM to the TLS port?",
    "UNEXPECTED_MESSAGE": "it spoke no TLS: plain DICOM to the TLS port?",
    "BAD_RECORD_TYPE": "it spoke no TLS: plain DICOM to the TLS port?",
    "UNSUPPORTED_PROTOCOL": "it offered no TLS 1.2 or later",
    "VERSION_TOO_LOW": "it offered no TLS 1.2 or later",
    "TLSV1_ALERT_PROTOCOL_VERSION": "it does not speak TLS 1.2 or later",
    "NO_SHARED_CIPHER": "it offered no cipher suite of BCP 195 (ECDHE with AES-GCM or ChaCha20)",
    "NO_SUITABLE_SIGNATURE_ALGORITHM": "it cannot check the kind of certificate that we have",
    "NO_SUITABLE_KEY_SHARE": "it offered no key exchange that is permitted",
    "EE_KEY_TOO_SMALL": "its certificate's key is too weak",
    "TLSV1_ALERT_UNKNOWN_CA": "it refuses our certificate: it does not know our authority; give it ca.pem",
    "TLSV1_ALERT_DECRYPT_ERROR": "it refuses our certificate: the signature does not fit",
    "TLSV13_ALERT_CERTIFICATE_REQUIRED": "it asks for a certificate, and we gave none",
    "SSLV3_ALERT_BAD_CERTIFICATE": "it refuses our certificate",
    "SSLV3_ALERT_CERTIFICATE_UNKNOWN": "it refuses our certificate",
    "SSLV3_ALERT_CERTIFICATE_EXPIRED": "it refuses our certificate as expired",
    "SSLV3_ALERT_CERTIFICATE_REVOKED": "it refuses our certificate as revoked",
    "SSLV3_ALERT_UNSUPPORTED_CERTIFICATE": "it refuses the kind or the use of our certificate",
    "SSLV3_ALERT_HANDSHAKE_FAILURE": "it found nothing in common with us, or wants another certificate",
    "UNEXPECTED_EOF_WHILE_READING": "it hung up during the handshake",
}
"""What went wrong before a certificate was looked at, or what the peer answered to ours."""


def refusal(error: Exception) -> str:
    """Why a handshake failed; ``error``: what ``do_handshake`` raised. Nothing of what the peer sent is in it."""
    if isinstance(error, ssl.SSLCertVerificationError) and error.verify_code:
        return BY_VERIFICATION.get(error.verify_code, f"its certificate is refused ({error.verify_message})")
    if isinstance(error, ssl.SSLEOFError | ssl.SSLZeroReturnError | ConnectionError):
        return "it hung up during the handshake"
    if isinstance(error, TimeoutError):
        return "it did not finish the handshake in time"
    if isinstance(error, ssl.SSLError) and error.reason:
        return BY_REASON.get(error.reason, error.reason.replace("_", " ").lower())
    return type(error).__name__
