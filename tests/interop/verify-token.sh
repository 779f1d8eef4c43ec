#!/bin/sh
# Lets the openssl command verify an access token with the published keys.
#
#   verify-token.sh TOKEN.jws KEYS.json
#
# A token is header.payload.signature in base64url; the signature is r ‖ s over the octets of header.payload, with SM3,
# SM2 and the default identifier. openssl wants r and s as a DER SEQUENCE, and the key as SubjectPublicKeyInfo.
set -eu
directory=$(mktemp -d)
trap 'rm -r "$directory"' EXIT
python3 - "$1" "$2" "$directory" <<'PYTHON'
import base64, json, pathlib, sys

token, keys, directory = pathlib.Path(sys.argv[1]).read_text().strip(), sys.argv[2], pathlib.Path(sys.argv[3])

def plain(text):
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))

def integer(value):
    octets = value.lstrip(b"\0") or b"\0"
    if octets[0] >= 0x80:
        octets = b"\0" + octets
    return bytes([0x02, len(octets)]) + octets

header, payload, signature = token.split(".")
fields = json.loads(plain(header))
assert fields["alg"] == "SGD_SM3_SM2", fields
key = next(k for k in json.loads(pathlib.Path(keys).read_text())["keys"] if k["kid"] == fields["kid"])
assert key["crv"] == "SM2-P-256", key
rs = plain(signature)
assert len(rs) == 64
body = integer(rs[:32]) + integer(rs[32:])
# SubjectPublicKeyInfo of an SM2 key: id-ecPublicKey, curve 1.2.156.10197.1.301, uncompressed point.
spki = bytes.fromhex("3059301306072a8648ce3d020106082a811ccf5501822d03420004") + plain(key["x"]) + plain(key["y"])
(directory / "signed").write_bytes(f"{header}.{payload}".encode())
(directory / "signature").write_bytes(bytes([0x30, len(body)]) + body)
(directory / "key").write_bytes(spki)
PYTHON
openssl pkeyutl -verify -pubin -keyform DER -inkey "$directory/key" -rawin -digest sm3 \
  -pkeyopt distid:1234567812345678 -in "$directory/signed" -sigfile "$directory/signature"
