"""The HTTP server of the gateway's REST interface, in a thread of its own."""

import ssl
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

import fastapi
import uvicorn

from serving.gateway.ports import bound
from serving.ssl_config import SslConfig

START_SECONDS = 10.0


class RestServer:
    """An HTTP server with the application, in a thread of its own."""

    def __init__(
        self, app: fastapi.FastAPI, host: str, port: int, config: SslConfig | None
    ) -> None:
        """Binds the port and answers at once.

        Args:
            app: the application.
            host: address to listen on.
            port: port to listen on.
            config: for TLS; None for a plain port.

        Raises:
            OSError: if the port is in use.
        """
        # uvicorn reads PEMs from files only.
        with tempfile.TemporaryDirectory(prefix="tfrec-gateway-") as folder:
            settings = uvicorn.Config(
                app,
                host=host,
                port=port,
                log_config=None,
                access_log=False,
                server_header=False,
                lifespan="off",
                **_tls_options(config, Path(folder)),
            )
            settings.load()
        self._server = uvicorn.Server(settings)
        listener = bound(host, port)
        self._thread = threading.Thread(
            target=self._server.run, args=([listener],), name="rest", daemon=True
        )
        self._thread.start()
        deadline = time.monotonic() + START_SECONDS
        while not self._server.started and self._thread.is_alive():
            if time.monotonic() > deadline:
                raise OSError("the HTTP server did not start")
            time.sleep(0.01)

    def stop(self, grace_seconds: float) -> None:
        """Takes no new requests and waits for those under way."""
        self._server.config.timeout_graceful_shutdown = round(grace_seconds)
        self._server.should_exit = True
        self._thread.join(grace_seconds + 1.0)


def _tls_options(config: SslConfig | None, folder: Path) -> dict[str, Any]:
    if config is None:
        return {}
    key, certificate, authority = (folder / name for name in ("key", "certificate", "authority"))
    for path, content in (
        (key, config.key),
        (certificate, config.certificate),
        (authority, config.authority),
    ):
        path.touch(0o600)
        path.write_bytes(content)
    return {
        "ssl_keyfile": key,
        "ssl_certfile": certificate,
        "ssl_ca_certs": authority if config.authority else None,
        "ssl_cert_reqs": ssl.CERT_REQUIRED if config.verify_clients else ssl.CERT_NONE,
    }
