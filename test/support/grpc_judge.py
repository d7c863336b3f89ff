"""A client of edgereel's gRPC service as an analytics program would be: grpcio, with code made from the .proto alone.

  python3 grpc_judge.py PROTO_DIR ADDRESS TOKEN   (TOKEN '-': none, for the unix socket)

Prints one JSON object of what it saw.
"""
import json
import os
import sys
import tempfile
import time

import grpc
import grpc_tools
from grpc_tools import protoc

proto_dir, address, token = sys.argv[1:4]
out = tempfile.mkdtemp()
well_known = os.path.join(os.path.dirname(grpc_tools.__file__), '_proto')
protoc.main(['', f'-I{proto_dir}', f'-I{well_known}', f'--python_out={out}', f'--grpc_python_out={out}',
             'edgereel.proto', 'health.proto'])
sys.path.insert(0, out)
import edgereel_pb2 as pb  # noqa: E402
import edgereel_pb2_grpc as rpc  # noqa: E402
import health_pb2  # noqa: E402
import health_pb2_grpc  # noqa: E402

channel = grpc.insecure_channel(address, options=[
    ('grpc.default_authority', 'localhost'), ('grpc.max_receive_message_length', 10 << 20)])
media = rpc.MediaServiceStub(channel)
metadata = () if token == '-' else (('authorization', 'Bearer ' + token),)
seen = {}


def code(call):
    try:
        call()
        return 'OK'
    except grpc.RpcError as error:
        return error.code().name


seen['health'] = health_pb2_grpc.HealthStub(channel).Check(
    health_pb2.HealthCheckRequest(service='edgereel.v1.MediaService'), timeout=10).status
streams = media.ListStreams(pb.ListStreamsRequest(), metadata=metadata, timeout=10).streams
seen['streams'] = [[s.name, s.state, s.video_codec] for s in streams]

call = media.OpenStream(pb.OpenStreamRequest(name='cam'), metadata=metadata)
units = []
with open(os.path.join(out, 'cam.h264'), 'wb') as file:
    for unit in call:
        units.append(unit)
        file.write(unit.payload)
        if len(units) == 40:
            call.cancel()
            break
seen['first_key'] = units[0].key
seen['config'] = units[0].config.codec_string
seen['steps'] = [b.dts - a.dts for a, b in zip(units, units[1:])]
seen['age_ms'] = time.time() * 1000 - units[-1].arrived_at
seen['file'] = os.path.join(out, 'cam.h264')

request = pb.StartRecordingRequest(recording_id='take-' + str(os.getpid()), streams=['cam'], title='by Python')
request.start_time.FromMilliseconds(int(time.time() * 1000))
started = media.StartRecording(request, metadata=metadata, timeout=10)
again = media.StartRecording(request, metadata=metadata, timeout=10)
seen['same'] = started == again
time.sleep(1.5)
stopped = media.StopRecording(pb.StopRecordingRequest(recording_id=started.recording_id), metadata=metadata, timeout=20)
seen['recording'] = started.recording_id
seen['stopped'] = [stopped.state, len(stopped.streams), stopped.streams[0].segments]

seen['deadline'] = code(lambda: list(media.OpenStream(pb.OpenStreamRequest(name='cam'), metadata=metadata, timeout=0.5)))
seen['nowhere'] = code(lambda: list(media.OpenStream(pb.OpenStreamRequest(name='nowhere'), metadata=metadata, timeout=5)))
seen['stranger'] = code(lambda: media.ListStreams(
    pb.ListStreamsRequest(), metadata=(('authorization', 'Bearer wrong'),), timeout=5))
big = pb.StopRecordingRequest(recording_id='x' * 11_000_000)
seen['eleven_mb'] = code(lambda: media.StopRecording(big, metadata=metadata, timeout=10))
print(json.dumps(seen))
