"""Compiles the .proto files here into ``descriptors.binpb`` (needs ``grpcio-tools``).

Run it after a change: ``python -m serving.protos.compile``. The result is committed, so that
neither a client nor a server needs a protobuf compiler.
"""

from importlib.resources import files
from pathlib import Path

from serving.protos import DESCRIPTORS

SOURCES = ("tensorflow.proto", "tensorflow_serving.proto", "server_config.proto")


def compile_protos(out: Path) -> None:
    """Writes the descriptor set of `SOURCES`, imports included, to `out`.

    Raises:
        RuntimeError: if the compiler rejects a file.
    """
    from grpc_tools import protoc

    well_known = files("grpc_tools") / "_proto"
    code = protoc.main(
        [
            "protoc",
            f"-I{DESCRIPTORS.parent}",
            f"-I{well_known}",
            "--include_imports",
            f"--descriptor_set_out={out}",
            *SOURCES,
        ]
    )
    if code:
        raise RuntimeError(f"the protobuf compiler ended with code {code}")


if __name__ == "__main__":
    compile_protos(DESCRIPTORS)
