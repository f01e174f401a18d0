"""What a failed handshake is counted as, and certificates refused on demand."""

import ssl

import pytest

from cloudhub_stub.certificates.tls import Admission, fault_word


def test_refusals_add_up_and_end() -> None:
    admission = Admission()
    admission.refuse(1)
    admission.refuse(2)
    assert [admission.refuses() for _ in range(4)] == [True, True, True, False]


def test_a_refusal_of_all_is_not_made_less_by_one_of_some() -> None:
    admission = Admission()
    admission.refuse_certificates = True
    admission.refuse(1)
    assert all(admission.refuses() for _ in range(9))


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
