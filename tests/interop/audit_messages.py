"""Reads the syslog messages (RFC 5424) that a repository received, and the audit messages (DICOM PS3.15, A.5) in them:
prints, as JSON, where in the log each was. What is not as these say ends it.

    audit_messages.py messages
"""

import base64
import json
import re
import sys
import xml.etree.ElementTree as ElementTree

HEADER = re.compile(r"<(\d{1,3})>1 (\S+) (\S{1,255}) (\S{1,48}) (\S{1,128}) (\S{1,32}) - \ufeff(.*)", re.DOTALL)
ORDER = ["EventIdentification", "ActiveParticipant", "AuditSourceIdentification", "ParticipantObjectIdentification"]
WANTED = {
    "EventIdentification": {"EventActionCode", "EventDateTime", "EventOutcomeIndicator"},
    "ActiveParticipant": {"UserID", "UserIsRequestor"},
    "AuditSourceIdentification": {"AuditSourceID"},
    "ParticipantObjectIdentification": {"ParticipantObjectID"},
}
CODED = {"EventID", "EventTypeCode", "RoleIDCode", "AuditSourceTypeCode", "ParticipantObjectIDTypeCode", "PurposeOfUse"}


def read(line):
    priority, time, host, *_, body = HEADER.fullmatch(line).groups()
    message = ElementTree.fromstring(body)
    assert message.tag == "AuditMessage"
    parts = [part.tag for part in message]
    assert parts == sorted(parts, key=ORDER.index), parts
    assert parts.count("EventIdentification") == parts.count("AuditSourceIdentification") == 1, parts
    for part in message:
        assert WANTED[part.tag] <= set(part.attrib), ElementTree.tostring(part)
    for code in (element for element in message.iter() if element.tag in CODED):
        assert {"csd-code", "codeSystemName", "originalText"} == set(code.attrib), code.attrib
    event = message.find("EventIdentification")
    assert event.find("EventID") is not None
    assert event.get("EventActionCode") in "CRUDE"
    assert event.get("EventDateTime") == time
    severity = {"0": 5, "4": 4, "8": 3, "12": 3}[event.get("EventOutcomeIndicator")]
    assert int(priority) == 80 + severity, priority
    assert message.find("AuditSourceIdentification").get("AuditSourceID") == host
    for detail in message.iter("ParticipantObjectDetail"):
        base64.b64decode(detail.get("value"), validate=True).decode()
    places = [thing.get("ParticipantObjectID") for thing in message.iter("ParticipantObjectIdentification")]
    prefix = f"urn:healthcard:log:{host}:"
    (place,) = [place for place in places if place.startswith(prefix)]
    return {"position": int(place.removeprefix(prefix)), "action": event.findall("EventTypeCode")[-1].get("csd-code")}


def main(path):
    with open(path, encoding="utf-8") as file:
        print(json.dumps([read(line) for line in file.read().split("\n")[:-1]]))


if __name__ == "__main__":
    main(*sys.argv[1:])
