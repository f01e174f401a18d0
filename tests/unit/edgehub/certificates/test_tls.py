"""The TLS files: whichever cannot be used is named."""

from pathlib import Path

import pytest

from edgecore.errors import LinkError
from edgecore.modules.edgehub.certificates.tls import client_context


@pytest.mark.parametrize("content", [None, "", "not a certificate", "-----BEGIN CERTIFICATE-----\nAAAA\n"])
def test_a_ca_file_that_cannot_be_used_is_named(tmp_path: Path, content: str | None) -> None:
    ca = tmp_path / "ca.crt"
    if content is not None:
        ca.write_text(content)
    with pytest.raises(LinkError, match=f"cannot use the CA file {ca}: "):
        client_context(ca, tmp_path / "a.crt", tmp_path / "a.key")
