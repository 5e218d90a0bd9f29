"""The cases of gRPC's interoperability tests, on gRPC's own core, against the service at a port: a line of JSON for each.

What each case sends and expects is in gRPC's `doc/interop-test-descriptions.md`.
"""

import json
import queue
import sys
import traceback

import grpc
import grpc_messages as proto

# Of a call that should succeed, in seconds.
PATIENCE = 20
LARGE_REQUEST, LARGE_RESPONSE = 271828, 314159
REQUESTS = [27182, 8, 1828, 45904]
RESPONSES = [31415, 9, 2653, 58979]
SPECIAL = "\t\ntest with whitespace\r\nand Unicode BMP \u263a and non-BMP \U0001f608\t\n"
METADATA = ((proto.ECHO_INITIAL, "test_initial_metadata_value"), (proto.ECHO_TRAILING, b"\xab\xab\xab"))


class Stub:
    def __init__(self, channel, service=proto.SERVICE):
        kinds = {
            (False, False): channel.unary_unary,
            (False, True): channel.unary_stream,
            (True, False): channel.stream_unary,
            (True, True): channel.stream_stream,
        }
        for name, (request, response, *streams) in proto.METHODS.items():
            method = kinds[tuple(streams)](f"/{service}/{name}", request.SerializeToString, response.FromString)
            setattr(self, name, method)
        self.UnimplementedCall = channel.unary_unary(
            f"/{service}/UnimplementedCall", proto.Empty.SerializeToString, proto.Empty.FromString
        )


class Pipe:
    """Requests of a stream, each when it is put in."""

    END = object()

    def __init__(self):
        self.queue = queue.Queue()

    def __iter__(self):
        return iter(self.queue.get, self.END)

    def send(self, request):
        self.queue.put(request)

    def close(self):
        self.queue.put(self.END)


def equal(found, expected):
    assert found == expected, f"{found!r} instead of {expected!r}"


def fails(call, code):
    try:
        call()
    except grpc.RpcError as error:
        equal(error.code(), code)
        return error
    raise AssertionError(f"it succeeds instead of failing with {code}")


def output(size, **more):
    parameters = [proto.CLASSES["ResponseParameters"](size=size)]
    return proto.OutputRequest(response_parameters=parameters, **more)


def empty_unary(stub):
    equal(stub.EmptyCall(proto.Empty(), timeout=PATIENCE), proto.Empty())


def large_request():
    return proto.SimpleRequest(response_size=LARGE_RESPONSE, payload=proto.payload(LARGE_REQUEST))


def large_unary(stub):
    response = stub.UnaryCall(large_request(), timeout=PATIENCE)
    equal(response.payload.body, bytes(LARGE_RESPONSE))


def client_streaming(stub):
    requests = (proto.InputRequest(payload=proto.payload(size)) for size in REQUESTS)
    response = stub.StreamingInputCall(requests, timeout=PATIENCE)
    equal(response.aggregated_payload_size, sum(REQUESTS))


def server_streaming(stub):
    parameters = [proto.CLASSES["ResponseParameters"](size=size) for size in RESPONSES]
    responses = stub.StreamingOutputCall(proto.OutputRequest(response_parameters=parameters), timeout=PATIENCE)
    equal([len(response.payload.body) for response in responses], RESPONSES)


def ping_pong(stub):
    pipe = Pipe()
    responses = stub.FullDuplexCall(iter(pipe), timeout=PATIENCE)
    for request, response in zip(REQUESTS, RESPONSES):
        pipe.send(output(response, payload=proto.payload(request)))
        equal(len(next(responses).payload.body), response)
    pipe.close()
    equal(list(responses), [])
    equal(responses.code(), grpc.StatusCode.OK)


def empty_stream(stub):
    responses = stub.FullDuplexCall(iter(()), timeout=PATIENCE)
    equal(list(responses), [])
    equal(responses.code(), grpc.StatusCode.OK)


def metadata_comes_back(call):
    initial = dict(call.initial_metadata())
    trailing = dict(call.trailing_metadata())
    equal(initial.get(METADATA[0][0]), METADATA[0][1])
    equal(trailing.get(METADATA[1][0]), METADATA[1][1])


def custom_metadata(stub):
    _, call = stub.UnaryCall.with_call(large_request(), timeout=PATIENCE, metadata=METADATA)
    metadata_comes_back(call)
    pipe = Pipe()
    responses = stub.FullDuplexCall(iter(pipe), timeout=PATIENCE, metadata=METADATA)
    pipe.send(output(LARGE_RESPONSE, payload=proto.payload(LARGE_REQUEST)))
    equal(len(next(responses).payload.body), LARGE_RESPONSE)
    pipe.close()
    equal(list(responses), [])
    metadata_comes_back(responses)


def status_code_and_message(stub):
    status = proto.EchoStatus(code=2, message="test status message")
    request = proto.SimpleRequest(response_status=status)
    error = fails(lambda: stub.UnaryCall(request, timeout=PATIENCE), grpc.StatusCode.UNKNOWN)
    equal(error.details(), status.message)
    streamed = iter([proto.OutputRequest(response_status=status)])
    error = fails(lambda: list(stub.FullDuplexCall(streamed, timeout=PATIENCE)), grpc.StatusCode.UNKNOWN)
    equal(error.details(), status.message)


def special_status_message(stub):
    request = proto.SimpleRequest(response_status=proto.EchoStatus(code=2, message=SPECIAL))
    error = fails(lambda: stub.UnaryCall(request, timeout=PATIENCE), grpc.StatusCode.UNKNOWN)
    equal(error.details(), SPECIAL)


def unimplemented_method(stub):
    fails(lambda: stub.UnimplementedCall(proto.Empty(), timeout=PATIENCE), grpc.StatusCode.UNIMPLEMENTED)


def unimplemented_service(stub):
    fails(lambda: stub.other.UnimplementedCall(proto.Empty(), timeout=PATIENCE), grpc.StatusCode.UNIMPLEMENTED)


def cancel_after_begin(stub):
    pipe = Pipe()
    call = stub.StreamingInputCall.future(iter(pipe), timeout=PATIENCE, metadata=METADATA)
    call.cancel()
    pipe.close()
    equal(call.cancelled(), True)
    equal(call.code(), grpc.StatusCode.CANCELLED)


def cancel_after_first_response(stub):
    pipe = Pipe()
    responses = stub.FullDuplexCall(iter(pipe), timeout=PATIENCE)
    pipe.send(output(RESPONSES[0], payload=proto.payload(REQUESTS[0])))
    equal(len(next(responses).payload.body), RESPONSES[0])
    responses.cancel()
    pipe.close()
    fails(lambda: next(responses), grpc.StatusCode.CANCELLED)


def timeout_on_sleeping_server(stub):
    pipe = Pipe()
    responses = stub.FullDuplexCall(iter(pipe), timeout=0.001)
    pipe.send(proto.OutputRequest(payload=proto.payload(REQUESTS[0])))
    fails(lambda: list(responses), grpc.StatusCode.DEADLINE_EXCEEDED)
    pipe.close()


CASES = [
    empty_unary,
    large_unary,
    client_streaming,
    server_streaming,
    ping_pong,
    empty_stream,
    custom_metadata,
    status_code_and_message,
    special_status_message,
    unimplemented_method,
    unimplemented_service,
    cancel_after_begin,
    cancel_after_first_response,
    timeout_on_sleeping_server,
]

with grpc.insecure_channel(f"127.0.0.1:{sys.argv[1]}") as channel:
    stub = Stub(channel)
    stub.other = Stub(channel, proto.UNIMPLEMENTED_SERVICE)
    for case in CASES:
        failure = None
        try:
            case(stub)
            # What a case has left behind does not hurt the next.
            empty_unary(stub)
        except Exception:
            failure = traceback.format_exc(limit=-1).strip()
        print(json.dumps({"case": case.__name__, "failure": failure}), flush=True)
