#!/usr/bin/env bash
# Unpacks moto's server (the S3 of the AWS tests) from Debian's packages into .cache/moto, where findMoto() looks;
# installs nothing, needs no root. For machines without `pip install 'moto[server]'`. Debian 12 has no moto: it
# comes from unstable and runs on this release's own Python and libraries. Without it the tests use fauxqs' S3.
set -euo pipefail
cd "$(dirname "$0")/../../.."
[ -x .cache/moto/moto-server ] && exit 0
rm -rf .cache/moto && mkdir -p .cache/moto/debs .cache/moto/x && cd .cache/moto

mirror=$(apt-get indextargets --format '$(SITE)' | grep -v security | head -1)
curl -sSf "$mirror/dists/sid/main/binary-amd64/Packages.xz" | xz -dc >Packages
for package in python3-moto python3-boto3 python3-botocore python3-s3transfer; do
  read -r file sha256 < <(awk -v p=$package '$1=="Package:"{ok=($2==p)} ok&&$1=="Filename:"{f=$2} ok&&$1=="SHA256:"{print f,$2; exit}' Packages)
  curl -sSf -o "debs/$package.deb" "$mirror/$file"
  echo "$sha256  debs/$package.deb" | sha256sum -c --quiet
done
libraries="flask werkzeug flask-cors responses xmltodict antlr4 jmespath dateutil six jinja2 markupsafe click
  itsdangerous colorama yaml requests urllib3 certifi chardet charset-normalizer idna cryptography cffi-backend toml
  docker websocket jsonschema attr pyrsistent simplejson"
# shellcheck disable=SC2086
(cd debs && apt-get download -qq $(printf 'python3-%s ' $libraries) 2>/dev/null)
for deb in debs/*.deb; do dpkg -x "$deb" x; done
rm -rf Packages debs

# moto's CloudFormation imports its API Gateway, which wants a validator that Debian 12 has not: a stub is enough.
validator=x/usr/lib/python3/dist-packages/openapi_spec_validator
mkdir -p $validator/validation
printf 'def validate_spec(*a, **k): return None\ndef validate(*a, **k): return None\n' >$validator/__init__.py
: >$validator/validation/__init__.py
printf 'class OpenAPIValidationError(Exception): pass\n' >$validator/validation/exceptions.py

cat >moto-server <<'EOF'
#!/bin/sh
PYTHONPATH="$(dirname "$(readlink -f "$0")")/x/usr/lib/python3/dist-packages" exec /usr/bin/python3 -c 'from moto.server import main; import sys; main(sys.argv[1:])' "$@"
EOF
chmod +x moto-server
