"""The gateway's messages and methods, from their compiled definition."""

from dataclasses import dataclass
from typing import Any

from google.protobuf import descriptor_pb2, message_factory

from serving import wire
from serving.gateway.protos import DESCRIPTORS

POOL = wire.load_pool(DESCRIPTORS)
SERVICE = "tfrec.gateway.v1.Gateway"


def _message(name: str) -> Any:
    return message_factory.GetMessageClass(POOL.FindMessageTypeByName(f"tfrec.gateway.v1.{name}"))


RecommendForRequest = _message("RecommendForRequest")
RecommendForResponse = _message("RecommendForResponse")
RecommendedItem = _message("RecommendedItem")
HistoryEvent = _message("HistoryEvent")
ShopperEvent = _message("ShopperEvent")
RecordEventResponse = _message("RecordEventResponse")
RecordEventsRequest = _message("RecordEventsRequest")
RecordEventsResponse = _message("RecordEventsResponse")
GetHistoryRequest = _message("GetHistoryRequest")
GetHistoryResponse = _message("GetHistoryResponse")
EraseUserRequest = _message("EraseUserRequest")
EraseUserResponse = _message("EraseUserResponse")


@dataclass(frozen=True)
class Method:
    """A method of the service.

    Attributes:
        name: as in the service's definition.
        request: the class of its requests.
        rest_path: where REST takes them.
    """

    name: str
    request: Any
    rest_path: str


METHODS = (
    Method("RecommendFor", RecommendForRequest, "/v1/recommendations"),
    Method("RecordEvent", ShopperEvent, "/v1/events"),
    Method("RecordEvents", RecordEventsRequest, "/v1/events:batch"),
    Method("GetHistory", GetHistoryRequest, "/v1/users:history"),
    Method("EraseUser", EraseUserRequest, "/v1/users:erase"),
)


def files() -> list[Any]:
    """Returns the FileDescriptorProtos, the comments of the definition included."""
    return list(descriptor_pb2.FileDescriptorSet.FromString(DESCRIPTORS.read_bytes()).file)
