"""A client of the gRPC service whose memory is not V8's: grpcio, all streams over one connection, each unit decoded.

  python3 grpc_client.py PROTO_DIR ADDRESS TOKEN STREAMS WARM_SECONDS SECONDS

Prints, as one JSON array, the milliseconds from the time that each payload ends with (16 hexadecimal digits,
nanoseconds of the machine's monotonic clock) until it was decoded.
"""
import asyncio
import json
import sys
import tempfile
import time

import grpc
from grpc_tools import protoc

proto_dir, address, token = sys.argv[1:4]
streams, warm_s, seconds = (float(n) for n in sys.argv[4:7])
out = tempfile.mkdtemp()
protoc.main(['', f'-I{proto_dir}', f'-I{grpc.__path__[0]}_tools/_proto', f'--python_out={out}',
             f'--grpc_python_out={out}', 'edgereel.proto'])
sys.path.insert(0, out)
import edgereel_pb2 as pb  # noqa: E402
import edgereel_pb2_grpc as rpc  # noqa: E402

delays_ms = []


async def watch(media, name):
    async for unit in media.OpenStream(pb.OpenStreamRequest(name=name),
                                       metadata=(('authorization', 'Bearer ' + token),)):
        delays_ms.append((time.monotonic_ns() - int(unit.payload[-16:], 16)) / 1e6)


async def main():
    async with grpc.aio.insecure_channel(address, options=[('grpc.default_authority', 'localhost')]) as channel:
        media = rpc.MediaServiceStub(channel)
        watching = [asyncio.ensure_future(watch(media, f'cam-{i}')) for i in range(int(streams))]
        await asyncio.sleep(warm_s)
        delays_ms.clear()
        await asyncio.sleep(seconds)
        measured = list(delays_ms)
        for each in watching:
            each.cancel()
        await asyncio.gather(*watching, return_exceptions=True)
    print(json.dumps(measured))


asyncio.run(main())
