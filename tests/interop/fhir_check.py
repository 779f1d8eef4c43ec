"""Reads a FHIR R4 Bundle with the models of SMART's fhirclient, which were generated from the R4 definitions: elements that
R4 does not have, wrong types and cardinalities are refused. Prints how many AuditEvents it read.

    fhir_check.py bundle.json
"""

import json
import sys

from fhirclient.models.auditevent import AuditEvent
from fhirclient.models.bundle import Bundle
from fhirclient.models.fhirabstractbase import FHIRValidationError


def main(path):
    with open(path, encoding="utf-8") as file:
        content = json.load(file)
    try:
        bundle = Bundle(content)
        if bundle.as_json() != content:
            raise SystemExit("the models write something else than was read")
    except FHIRValidationError as error:
        raise SystemExit(f"not FHIR R4: {error}")
    events = [entry.resource for entry in bundle.entry or []]
    others = [event for event in events if not isinstance(event, AuditEvent)]
    if others:
        raise SystemExit(f"{len(others)} resources are no AuditEvents")
    print(len(events))


if __name__ == "__main__":
    main(*sys.argv[1:])
