#!/bin/sh
# Lets the openssl command read a revocation list and say whether it names a serial number.
#
#   read-crl.sh LIST.der [SERIAL]
#
# Its signature is checked by verify-cms.sh: `openssl crl -CAfile` of OpenSSL 3.0 cannot be told the SM2 identifier.
set -eu
text=$(openssl crl -inform DER -in "$1" -noout -text)
printf '%s\n' "$text"
[ $# -lt 2 ] || printf '%s\n' "$text" | tr -d ': ' | grep -qi "SerialNumber0*$2\$"
