#!/usr/bin/env python3
"""A client that knows nothing of this service but its address: it asks the server for its interface (gRPC
reflection), lists the services, logs in, and asks for an access token. The SM2 signature is made by openssl.

    target/python/bin/python tests/interop/client.py SERVER CA.pem IDENTITY_DIRECTORY VISIT_ID

SERVER is host:port. Prints one JSON object.
"""

import json
import pathlib
import subprocess
import sys

import grpc
from google.protobuf import descriptor_pb2, descriptor_pool, json_format, message_factory
from grpc_reflection.v1alpha import reflection_pb2  # the messages of v1 and v1alpha are the same

REFLECTION = "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo"


class Interface:
    """What the server says of itself."""

    def __init__(self, channel):
        self.channel = channel
        self.ask_server = channel.stream_stream(
            REFLECTION,
            request_serializer=reflection_pb2.ServerReflectionRequest.SerializeToString,
            response_deserializer=reflection_pb2.ServerReflectionResponse.FromString,
        )
        self.pool = descriptor_pool.DescriptorPool()
        self.added = set()

    def ask(self, **question):
        request = reflection_pb2.ServerReflectionRequest(**question)
        answer = next(self.ask_server(iter([request])))
        if answer.HasField("error_response"):
            raise SystemExit(f"reflection: {answer.error_response.error_message}")
        return answer

    def services(self):
        return sorted(s.name for s in self.ask(list_services="").list_services_response.service)

    def learn(self, **question):
        for encoded in self.ask(**question).file_descriptor_response.file_descriptor_proto:
            file = descriptor_pb2.FileDescriptorProto.FromString(encoded)
            if file.name in self.added:
                continue
            self.added.add(file.name)
            for dependency in file.dependency:
                if dependency not in self.added:
                    self.learn(file_by_filename=dependency)
            self.pool.Add(file)

    def call(self, service, method, request, session=None):
        try:
            description = self.pool.FindServiceByName(service)
        except KeyError:
            self.learn(file_containing_symbol=service)
            description = self.pool.FindServiceByName(service)
        description = description.FindMethodByName(method)
        asked = message_factory.GetMessageClass(description.input_type)
        answered = message_factory.GetMessageClass(description.output_type)
        call = self.channel.unary_unary(
            f"/{service}/{method}",
            request_serializer=asked.SerializeToString,
            response_deserializer=answered.FromString,
        )
        metadata = [("authorization", f"Bearer {session}")] if session else []
        return call(json_format.ParseDict(request, asked()), metadata=metadata, timeout=30)


def sign(key, message):
    """r ‖ s, 32 octets each, from the DER SEQUENCE that openssl writes."""
    der = subprocess.run(
        ["openssl", "pkeyutl", "-sign", "-inkey", key, "-rawin", "-digest", "sm3",
         "-pkeyopt", "distid:1234567812345678", "-in", "/dev/stdin"],
        input=message, capture_output=True, check=True,
    ).stdout
    r_length = der[3]
    r, s = der[4 : 4 + r_length], der[6 + r_length :]
    return b"".join(part.lstrip(b"\0").rjust(32, b"\0") for part in (r, s))


def base64(octets):
    from base64 import b64encode

    return b64encode(octets).decode()


def main(server, authority, identity, visit):
    identity = pathlib.Path(identity)
    credentials = grpc.ssl_channel_credentials(pathlib.Path(authority).read_bytes())
    with grpc.secure_channel(server, credentials) as channel:
        interface = Interface(channel)
        services = interface.services()

        certificate = base64((identity / "certificate.der").read_bytes())
        sessions = "healthcard.v1.Sessions"
        challenge = interface.call(sessions, "Challenge", {"certificate": certificate})
        message = f"{sessions}/Open\n{challenge.service}\n".encode() + challenge.challenge
        opened = interface.call(sessions, "Open", {
            "challenge": base64(challenge.challenge),
            "certificate": certificate,
            "signature": base64(sign(identity / "key.pem", message)),
        })
        token = interface.call("healthcard.v1.Tokens", "Issue", {
            "visit_id": visit,
            "purpose": "PURPOSE_TREATMENT",
            "grade": 3,
            "classes": ["DATA_CLASS_HEALTH"],
            "audience": "emr.example",
        }, session=opened.token)
    print(json.dumps({"services": services, "token": token.token, "rule": token.rule}))


if __name__ == "__main__":
    if len(sys.argv) != 5:
        raise SystemExit(__doc__)
    main(*sys.argv[1:])
