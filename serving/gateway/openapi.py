"""The REST interface described in OpenAPI's terms, from the compiled definition of the messages."""

from typing import Any

from google.protobuf.descriptor_pb2 import FieldDescriptorProto as Field

from serving.gateway.messages import METHODS, files

# proto3's JSON mapping: numbers of 64 bits are strings there.
SCALARS: dict[int, dict[str, Any]] = {
    Field.TYPE_STRING: {"type": "string"},
    Field.TYPE_BOOL: {"type": "boolean"},
    Field.TYPE_INT32: {"type": "integer", "format": "int32"},
    Field.TYPE_INT64: {"type": "string", "format": "int64"},
    Field.TYPE_FLOAT: {"type": "number", "format": "float"},
    Field.TYPE_DOUBLE: {"type": "number", "format": "double"},
}
TIMESTAMP = ".google.protobuf.Timestamp"
# Places in a FileDescriptorProto, as its comments name them.
MESSAGES, SERVICES, FIELDS, RPCS = 4, 6, 2, 2


def schemas() -> dict[str, Any]:
    """Returns the schema of every message of the service by name."""
    file = files()[-1]
    comments = _comments(file)
    return {
        message.name: {
            "type": "object",
            "properties": {
                field.name: _described(
                    _field(field, message), comments.get((MESSAGES, m, FIELDS, f))
                )
                for f, field in enumerate(message.field)
            },
        }
        for m, message in enumerate(file.message_type)
    }


def operations() -> dict[str, dict[str, Any]]:
    """Returns what a router adds to the description of every path, by REST path."""
    file = files()[-1]
    comments = _comments(file)
    paths = {method.name: method.rest_path for method in METHODS}
    found = {}
    for r, rpc in enumerate(file.service[0].method):
        path = paths[rpc.name]
        text = comments[SERVICES, 0, RPCS, r].partition(f"POST {path}")[0].strip()
        found[path] = {
            "operationId": rpc.name,
            "summary": text.partition(". ")[0].rstrip("."),
            "description": text,
            "requestBody": {"required": True, "content": _json(rpc.input_type)},
            "responses": {
                "200": {"description": "Done.", "content": _json(rpc.output_type)},
                "default": {
                    "description": "Not done; `error` says why.",
                    "content": {
                        "application/json": {"schema": {"$ref": "#/components/schemas/Error"}}
                    },
                },
            },
        }
    return found


ERROR_SCHEMA = {
    "type": "object",
    "required": ["code", "error"],
    "properties": {
        "code": {"type": "string", "description": "Name of the gRPC status code."},
        "error": {"type": "string", "description": "What to do about it."},
    },
}


def _json(message: str) -> dict[str, Any]:
    return {"application/json": {"schema": _reference(message)}}


def _reference(message: str) -> dict[str, Any]:
    return {"$ref": f"#/components/schemas/{message.rpartition('.')[2]}"}


def _field(field: Any, message: Any) -> dict[str, Any]:
    entry = next(
        (
            nested
            for nested in message.nested_type
            if nested.options.map_entry and field.type_name.endswith(f".{nested.name}")
        ),
        None,
    )
    if entry is not None:
        return {"type": "object", "additionalProperties": _value(entry.field[1])}
    if field.label == Field.LABEL_REPEATED:
        return {"type": "array", "items": _value(field)}
    return _value(field)


def _value(field: Any) -> dict[str, Any]:
    if field.type_name == TIMESTAMP:
        return {"type": "string", "format": "date-time"}
    if field.type == Field.TYPE_MESSAGE:
        return _reference(field.type_name)
    return dict(SCALARS[field.type])


def _described(schema: dict[str, Any], comment: str | None) -> dict[str, Any]:
    if not comment:
        return schema
    # Beside a reference, some readers take no description.
    return {"description": comment, **({"allOf": [schema]} if "$ref" in schema else schema)}


def _comments(file: Any) -> dict[tuple[int, ...], str]:
    return {
        tuple(location.path): " ".join(location.leading_comments.split())
        for location in file.source_code_info.location
        if location.leading_comments
    }
