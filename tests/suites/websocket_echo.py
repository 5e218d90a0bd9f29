"""A WebSocket service that sends every message back. Prints its port when it listens."""

import asyncio
import logging
import os

# Of a message, of which some cases have very many.
os.environ["WEBSOCKETS_MAX_FRAGMENTS"] = str(1 << 20)

from websockets.asyncio.server import serve

# Of the largest message that a case sends, in bytes.
LARGEST = 32 << 20


# What cases do wrong on purpose is not worth a word.
logging.getLogger("websockets.server").setLevel(logging.CRITICAL)


async def echo(connection):
    async for message in connection:
        await connection.send(message)


async def main():
    async with serve(echo, "127.0.0.1", 0, max_size=LARGEST, ping_interval=None) as server:
        print(server.sockets[0].getsockname()[1], flush=True)
        await asyncio.Future()


asyncio.run(main())
