"""The service of gRPC's interoperability tests, on gRPC's own core. Prints its port when it listens."""

import concurrent.futures
import time

import grpc
import grpc_messages as proto

# Cases run one after the other; one that was given up may still be at work.
THREADS = 8


def echo_metadata(context):
    received = {key: value for key, value in context.invocation_metadata()}
    if proto.ECHO_INITIAL in received:
        context.send_initial_metadata(((proto.ECHO_INITIAL, received[proto.ECHO_INITIAL]),))
    if proto.ECHO_TRAILING in received:
        context.set_trailing_metadata(((proto.ECHO_TRAILING, received[proto.ECHO_TRAILING]),))


def fail_if_asked(request, context):
    status = request.response_status
    if status.code:
        code = next(code for code in grpc.StatusCode if code.value[0] == status.code)
        context.abort(code, status.message)


def empty_call(_request, context):
    echo_metadata(context)
    return proto.Empty()


def unary_call(request, context):
    echo_metadata(context)
    fail_if_asked(request, context)
    return proto.SimpleResponse(payload=proto.payload(request.response_size))


def streaming_input_call(requests, _context):
    size = sum(len(request.payload.body) for request in requests)
    return proto.InputResponse(aggregated_payload_size=size)


def streaming_output_call(request, context):
    fail_if_asked(request, context)
    for parameters in request.response_parameters:
        time.sleep(parameters.interval_us / 1_000_000)
        yield proto.OutputResponse(payload=proto.payload(parameters.size))


def full_duplex_call(requests, context):
    echo_metadata(context)
    for request in requests:
        yield from streaming_output_call(request, context)


IMPLEMENTED = {
    "EmptyCall": empty_call,
    "UnaryCall": unary_call,
    "StreamingInputCall": streaming_input_call,
    "StreamingOutputCall": streaming_output_call,
    "FullDuplexCall": full_duplex_call,
}
HANDLERS = {
    (False, False): grpc.unary_unary_rpc_method_handler,
    (False, True): grpc.unary_stream_rpc_method_handler,
    (True, False): grpc.stream_unary_rpc_method_handler,
    (True, True): grpc.stream_stream_rpc_method_handler,
}


def handlers():
    for name, (request, response, *streams) in proto.METHODS.items():
        handler = HANDLERS[tuple(streams)]
        yield name, handler(IMPLEMENTED[name], request.FromString, response.SerializeToString)


server = grpc.server(concurrent.futures.ThreadPoolExecutor(THREADS))
server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(proto.SERVICE, dict(handlers())),))
print(server.add_insecure_port("127.0.0.1:0"), flush=True)
server.start()
server.wait_for_termination()
