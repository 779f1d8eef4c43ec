#!/usr/bin/python3
"""Reads a health card through PC/SC with nothing of this project: pyscard for the reader, SM4 from the cryptography
package, and the rules of health-card.md, 4.2 to 4.5, written down once more. Prints one JSON object.

    /usr/bin/python3 tests/interop/read_card.py READER ROOT

READER is a reader's name, ROOT a file with the root key of all masters in hex. EF05 is read freely, then the card
proves itself (internal authentication), then EF06 is refused, then read after external authentication with RK1_DDF1.
Runs with Debian's python3-pyscard and python3-cryptography.
"""

import json
import os
import pathlib
import sys

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from smartcard.CardConnection import CardConnection
from smartcard.System import readers

EF05 = {1: "class", 2: "version", 3: "issuer", 4: "issuer_code", 5: "certificate", 6: "issued_on", 8: "card_number",
        9: "security_code", 10: "chip_serial", 57: "city"}
EF06 = {11: "name", 12: "sex", 13: "ethnic_group", 14: "birth_date", 15: "id_number"}
TEXT = {1, 2, 3, 8, 9, 10, 11, 15}


def sm4(key, block):
    """SM4 in ECB over whole blocks."""
    encryptor = Cipher(algorithms.SM4(key), modes.ECB()).encryptor()
    return encryptor.update(block) + encryptor.finalize()


def derive(key, *factors):
    """DIV-1: each key is E(key above, factor, NOT factor)."""
    for factor in factors:
        key = sm4(key, factor + bytes(byte ^ 0xFF for byte in factor))
    return key


def cryptogram(session, data):
    """E(data, zeros), its halves folded by XOR."""
    block = sm4(session, data + bytes(8))
    return bytes(left ^ right for left, right in zip(block[:8], block[8:]))


class Card:
    """A connection that sends commands and knows the status words."""

    def __init__(self, name):
        reader = next(reader for reader in readers() if str(reader) == name)
        self.connection = reader.createConnection()
        self.connection.connect(CardConnection.T1_protocol)
        self.atr = bytes(self.connection.getATR())

    def ask(self, command, expected=0x9000):
        data, high, low = self.connection.transmit(list(bytes.fromhex(command)))
        status = high << 8 | low
        if status != expected:
            raise SystemExit(f"{command[:8]}: {status:04X} instead of {expected:04X}")
        return bytes(data)

    def select(self, *files):
        for file in files:
            self.ask(f"00A4000002{file}")

    def record(self, tag):
        """The value of the record with this tag, its frame checked."""
        record = self.ask(f"00B2{tag:02X}0000")
        if record[0] != tag or record[1] != len(record) - 2:
            raise SystemExit(f"record {tag} has the frame {record[:2].hex()}")
        return record[2:]


def text(tag, value):
    if tag in TEXT:
        return value.rstrip(b"\0").decode("gbk")
    return value.hex().upper()


def main(reader, root):
    root = bytes.fromhex(pathlib.Path(root).read_text().strip())
    card = Card(reader)
    # The factor of the card is the last eight historical bytes, before TCK.
    factor = card.atr[-9:-1]
    card.select("3F00", "DDF1", "EF05")
    issuer = {name: text(tag, card.record(tag)) for tag, name in EF05.items()}
    province = issuer["city"][:2].encode() + b"000000"
    card_key = derive(root, province, factor)

    challenge, data = os.urandom(8), os.urandom(8)
    proof = card.ask(f"0088000011{challenge.hex()}{data.hex()}0108")
    genuine = proof == cryptogram(derive(card_key, challenge), data)

    card.select("EF06")
    card.ask("00B20B0020", expected=0x6982)
    challenge = card.ask("0084000008")
    proof = cryptogram(derive(card_key, challenge), data)
    card.ask(f"0082000411{proof.hex()}{data.hex()}01")
    holder = {name: text(tag, card.record(tag)) for tag, name in EF06.items()}
    print(json.dumps({"atr": card.atr.hex().upper(), "genuine": genuine, "issuer": issuer, "holder": holder}))


if __name__ == "__main__":
    if len(sys.argv) != 3:
        raise SystemExit(__doc__)
    main(*sys.argv[1:])
