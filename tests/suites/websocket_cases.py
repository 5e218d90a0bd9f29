"""Runs kosoku's cases against the service at a port: a line of JSON for each, with the verdicts and the code that ended it."""

import asyncio
import json
import sys

from kosoku import FailureError, run_fuzzingclient

# Those of compression, which take an hour and are about what services agree on with clients.
LEFT_OUT = ["12.*", "13.*"]
# Cases mostly wait.
AT_ONCE = 4


async def main():
    try:
        results = await run_fuzzingclient(f"ws://127.0.0.1:{sys.argv[1]}", None, LEFT_OUT, concurrency=AT_ONCE)
    except FailureError as failure:
        results = failure.results
    for result in results:
        verdicts = [result.behavior.value, result.behavior_close.value]
        print(json.dumps({"case": result.case_id, "verdicts": verdicts, "code": result.remote_close_code}))


asyncio.run(main())
