"""What can go wrong for a client, each with a sentence that says what to do."""


class ClientError(Exception):
    """Base of all errors that `serving.client` raises."""


class ServerUnreachableError(ClientError):
    """No server answers at the address, or the connection broke."""


class DeadlineError(ClientError):
    """The server did not answer in the time that was given."""


class ModelMissingError(ClientError):
    """The server has no such model, version or signature."""


class UnknownItemError(ClientError):
    """None of the given items is in the model's catalogue."""


class InvalidRequestError(ClientError):
    """An argument that cannot work, or a request that the server rejected."""


class ServerFaultError(ClientError):
    """The server failed at a request that looked right."""
