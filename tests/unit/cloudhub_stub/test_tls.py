"""What a failed handshake is counted as."""

import ssl

import pytest

from cloudhub_stub.tls import fault_word


@pytest.mark.parametrize(
    ("reason", "word"),
    [
        ("PEER_DID_NOT_RETURN_A_CERTIFICATE", "no_certificate"),
        ("CERTIFICATE_VERIFY_FAILED", "bad_certificate"),
        ("NO_SHARED_CIPHER", "no_common_tls"),
        ("HTTP_REQUEST", "no_tls"),
        ("TLSV1_ALERT_UNKNOWN_CA", "tls_refused_by_peer"),
        ("SOMETHING_ELSE", "tls_failed"),
        (None, "tls_failed"),
    ],
)
def test_a_failed_handshake_has_a_word(reason: str | None, word: str) -> None:
    error = ssl.SSLError()
    error.reason = reason  # type: ignore[assignment]
    assert fault_word(error) == word
