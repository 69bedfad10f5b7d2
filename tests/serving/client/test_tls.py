"""TLS and mutual TLS, and certificates that are wrong in every usual way."""

import datetime

import grpc
import pytest
import trustme
from click.testing import CliRunner

from pipelines import similar
from serving import errors
from serving.client import RecommenderClient, Tls
from tests.serving.client.scripted import ScriptedServer


@pytest.fixture(scope="module")
def authority():
    return trustme.CA()


def credentials(authority, name="localhost", clients=None, **options):
    """Returns a server's credentials with a certificate for `name`."""
    issued = authority.issue_cert(name, **options)
    return grpc.ssl_server_credentials(
        [(issued.private_key_pem.bytes(), b"".join(p.bytes() for p in issued.cert_chain_pems))],
        root_certificates=clients.cert_pem.bytes() if clients else None,
        require_client_auth=clients is not None,
    )


def own(authority, name="shop"):
    """Returns a client's certificate and key."""
    issued = authority.issue_cert(name)
    return {
        "certificate": b"".join(pem.bytes() for pem in issued.cert_chain_pems),
        "key": issued.private_key_pem.bytes(),
    }


def ask(server, tls):
    with RecommenderClient(server.address, tls=tls, retries=0, timeout=5) as client:
        return client.models(["m"])[0].version


def test_a_trusted_server_is_asked(authority, tmp_path):
    path = tmp_path / "ca.pem"
    path.write_bytes(authority.cert_pem.bytes())
    with ScriptedServer(credentials(authority)) as server:
        assert ask(server, Tls(ca=path)) == 7
        assert ask(server, Tls(ca=str(path))) == 7


def test_a_certificate_for_another_name_needs_that_name(authority):
    with ScriptedServer(credentials(authority, "models.internal")) as server:
        tls = Tls(ca=authority.cert_pem.bytes())
        with pytest.raises(errors.CertificateError, match=r"another name.*Tls\(server_name"):
            ask(server, tls)
        tls = Tls(ca=authority.cert_pem.bytes(), server_name="models.internal")
        assert ask(server, tls) == 7


def test_an_expired_certificate_is_said(authority):
    past = datetime.datetime(2020, 1, 1, tzinfo=datetime.UTC)
    expired = credentials(authority, not_before=past, not_after=past + datetime.timedelta(1))
    with (
        ScriptedServer(expired) as server,
        pytest.raises(errors.CertificateError, match="has expired; renew it"),
    ):
        ask(server, Tls(ca=authority.cert_pem.bytes()))


def test_an_unknown_authority_is_said(authority):
    with (
        ScriptedServer(credentials(authority)) as server,
        pytest.raises(errors.CertificateError, match=r"none of the trusted .* give Tls\(ca="),
    ):
        ask(server, Tls(ca=trustme.CA().cert_pem.bytes()))


def test_tls_towards_a_plain_server_is_said():
    with (
        ScriptedServer() as server,
        pytest.raises(errors.CertificateError, match="it speaks no TLS"),
    ):
        ask(server, Tls())


def test_a_plain_client_of_a_tls_server_is_told_to_try_tls(authority):
    with (
        ScriptedServer(credentials(authority)) as server,
        pytest.raises(errors.ServerUnreachableError, match="whether it wants TLS"),
    ):
        ask(server, None)


def test_mutual_tls_needs_a_certificate_of_the_right_authority(authority):
    clients = trustme.CA()
    trusted = {"ca": authority.cert_pem.bytes()}
    with ScriptedServer(credentials(authority, clients=clients)) as server:
        assert ask(server, Tls(**trusted, **own(clients))) == 7
        for wrong in ({}, own(authority)):
            with pytest.raises(errors.ServerUnreachableError):
                ask(server, Tls(**trusted, **wrong))


@pytest.mark.parametrize(
    ("tls", "sentence"),
    [
        (Tls(ca="/nowhere/ca.pem"), r"cannot read /nowhere/ca\.pem, given as ca \(No such file"),
        (Tls(ca=b"garbage"), "the bytes given as ca should be PEM"),
        (Tls(certificate=b"-----BEGIN X"), "go together; give both, or none"),
    ],
)
def test_files_that_cannot_work_are_said_at_once(tls, sentence):
    with pytest.raises(errors.InvalidRequestError, match=sentence):
        RecommenderClient("localhost:8500", tls=tls)


def test_the_commands_connect_with_tls(authority, tmp_path):
    path = tmp_path / "ca.pem"
    path.write_bytes(authority.cert_pem.bytes())
    with ScriptedServer(credentials(authority)) as server:
        ask = ["--item", "A1", "--server", server.address]
        # It knows no predictions, but says so only to who got through.
        result = CliRunner().invoke(similar.command, [*ask, "--server-ca", str(path)])
        assert "is no model server" in str(result.exception)
        result = CliRunner().invoke(similar.command, ask)
        assert "whether it wants TLS" in str(result.exception)
