"""What can go wrong for a client, each with a sentence that says what to do."""


class ClientError(Exception):
    """Base of all errors that `serving.client` raises."""


class ServerUnreachableError(ClientError):
    """No server answers at the address, or the connection broke."""


class CertificateError(ServerUnreachableError):
    """Client and server do not trust each other's certificates, or only one of them uses TLS."""


class OverloadedError(ClientError):
    """The server has too much to do, or the caller asks more often than it may."""


class DeadlineError(ClientError):
    """The server did not answer in the time that was given."""


class AccessError(ClientError):
    """The caller did not say who it is, or may not do what it asked for."""


class ModelMissingError(ClientError):
    """The server has no such model, version or signature."""


class UnknownItemError(ClientError):
    """None of the given items is in the model's catalogue."""


class InvalidRequestError(ClientError):
    """An argument that cannot work, or a request that the server rejected."""


class ServerFaultError(ClientError):
    """The server failed at a request that looked right."""
