"""Reads one object as a Python program would: whole, in a range, by a signed address of boto3's own."""
import json
import os
import sys
import urllib.request

import boto3
from botocore.config import Config

bucket, key = sys.argv[1:]
s3 = boto3.client(
    "s3",
    endpoint_url=os.environ["AWS_ENDPOINT_URL_S3"],
    region_name=os.environ["AWS_REGION"],
    config=Config(signature_version="s3v4", s3={"addressing_style": "path"}),
)
place = {"Bucket": bucket, "Key": key}
whole = s3.get_object(**place)["Body"].read()
part = s3.get_object(**place, Range="bytes=100-199")["Body"].read()
url = s3.generate_presigned_url("get_object", Params=place, ExpiresIn=60)
signed = urllib.request.urlopen(url).read()
listed = s3.list_objects_v2(Bucket=bucket, Prefix=key)["Contents"][0]["Size"]
print(json.dumps({"whole": len(whole), "part": part == whole[100:200], "signed": signed == whole, "listed": listed}))
