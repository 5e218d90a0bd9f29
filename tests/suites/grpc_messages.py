"""The messages and methods of `grpc.testing.TestService`, as gRPC's interoperability tests have them."""

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

PACKAGE = "grpc.testing"
SERVICE = f"{PACKAGE}.TestService"
UNIMPLEMENTED_SERVICE = f"{PACKAGE}.UnimplementedService"

FIELD = descriptor_pb2.FieldDescriptorProto
# Name, number and type of each field; a type that is a text names a message, in a list it is repeated.
MESSAGES = {
    "Empty": [],
    "BoolValue": [("value", 1, FIELD.TYPE_BOOL)],
    "Payload": [("type", 1, FIELD.TYPE_INT32), ("body", 2, FIELD.TYPE_BYTES)],
    "EchoStatus": [("code", 1, FIELD.TYPE_INT32), ("message", 2, FIELD.TYPE_STRING)],
    "SimpleRequest": [
        ("response_type", 1, FIELD.TYPE_INT32),
        ("response_size", 2, FIELD.TYPE_INT32),
        ("payload", 3, "Payload"),
        ("response_compressed", 6, "BoolValue"),
        ("response_status", 7, "EchoStatus"),
    ],
    "SimpleResponse": [("payload", 1, "Payload")],
    "StreamingInputCallRequest": [("payload", 1, "Payload")],
    "StreamingInputCallResponse": [("aggregated_payload_size", 1, FIELD.TYPE_INT32)],
    "ResponseParameters": [("size", 1, FIELD.TYPE_INT32), ("interval_us", 2, FIELD.TYPE_INT32)],
    "StreamingOutputCallRequest": [
        ("response_type", 1, FIELD.TYPE_INT32),
        ("response_parameters", 2, ["ResponseParameters"]),
        ("payload", 3, "Payload"),
        ("response_status", 7, "EchoStatus"),
    ],
    "StreamingOutputCallResponse": [("payload", 1, "Payload")],
}


def _classes():
    file = descriptor_pb2.FileDescriptorProto(name="interoperability.proto", package=PACKAGE, syntax="proto3")
    for name, fields in MESSAGES.items():
        message = file.message_type.add(name=name)
        for field, number, kind in fields:
            repeated = isinstance(kind, list)
            kind = kind[0] if repeated else kind
            label = FIELD.LABEL_REPEATED if repeated else FIELD.LABEL_OPTIONAL
            added = message.field.add(name=field, number=number, label=label)
            if isinstance(kind, str):
                added.type, added.type_name = FIELD.TYPE_MESSAGE, f".{PACKAGE}.{kind}"
            else:
                added.type = kind
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    find = pool.FindMessageTypeByName
    return {name: message_factory.GetMessageClass(find(f"{PACKAGE}.{name}")) for name in MESSAGES}


CLASSES = _classes()
Empty = CLASSES["Empty"]
Payload = CLASSES["Payload"]
EchoStatus = CLASSES["EchoStatus"]
SimpleRequest, SimpleResponse = CLASSES["SimpleRequest"], CLASSES["SimpleResponse"]
InputRequest, InputResponse = CLASSES["StreamingInputCallRequest"], CLASSES["StreamingInputCallResponse"]
OutputRequest, OutputResponse = CLASSES["StreamingOutputCallRequest"], CLASSES["StreamingOutputCallResponse"]

# What goes in and what comes out of each method, and whether either is a stream.
METHODS = {
    "EmptyCall": (Empty, Empty, False, False),
    "UnaryCall": (SimpleRequest, SimpleResponse, False, False),
    "StreamingInputCall": (InputRequest, InputResponse, True, False),
    "StreamingOutputCall": (OutputRequest, OutputResponse, False, True),
    "FullDuplexCall": (OutputRequest, OutputResponse, True, True),
}

# What is sent back to whoever sends it.
ECHO_INITIAL = "x-grpc-test-echo-initial"
ECHO_TRAILING = "x-grpc-test-echo-trailing-bin"


def payload(size):
    return Payload(body=bytes(size))
