"""Compiles .proto files into the ``descriptors.binpb`` beside them (needs ``grpcio-tools``).

Run it after a change: ``python -m serving.protos.compile``. The results are committed, so that
neither a client nor a server needs a protobuf compiler.
"""

from collections.abc import Sequence
from importlib.resources import files
from pathlib import Path

from serving.gateway import protos as gateway
from serving.protos import DESCRIPTORS

SOURCES = ("tensorflow.proto", "tensorflow_serving.proto", "server_config.proto")
# The comments of the gateway's messages become the descriptions of its REST interface.
GATEWAY_SOURCES = ("gateway.proto", "--include_source_info")


def compile_protos(
    out: Path, folder: Path = DESCRIPTORS.parent, arguments: Sequence[str] = SOURCES
) -> None:
    """Writes the descriptor set of .proto files, imports included, to `out`.

    Args:
        out: the file to write.
        folder: where the .proto files lie.
        arguments: their names, and further arguments of the compiler.

    Raises:
        RuntimeError: if the compiler rejects a file.
    """
    from grpc_tools import protoc

    well_known = files("grpc_tools") / "_proto"
    code = protoc.main(
        [
            "protoc",
            f"-I{folder}",
            f"-I{well_known}",
            "--include_imports",
            f"--descriptor_set_out={out}",
            *arguments,
        ]
    )
    if code:
        raise RuntimeError(f"the protobuf compiler ended with code {code}")


if __name__ == "__main__":
    compile_protos(DESCRIPTORS)
    compile_protos(gateway.DESCRIPTORS, gateway.DESCRIPTORS.parent, GATEWAY_SOURCES)
