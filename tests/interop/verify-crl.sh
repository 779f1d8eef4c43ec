#!/bin/sh
# Lets the openssl command verify the signature of a revocation list by its issuer.
#
#   verify-crl.sh LIST.der ISSUER.der
#
# `openssl verify -crl_check` of OpenSSL 3.0 cannot be told the SM2 identifier of a list; so what was signed and the
# signature are taken out, and verified as such.
set -eu
directory=$(mktemp -d)
trap 'rm -r "$directory"' EXIT
openssl x509 -inform DER -in "$2" -noout -pubkey >"$directory/key.pem"
part() { # kind, file: the outermost one of this kind
  offset=$(openssl asn1parse -inform DER -in "$list" | awk -F: -v kind="$1" '/d=1 / && $0 ~ kind { print $1; exit }')
  openssl asn1parse -inform DER -in "$list" -strparse "$offset" -noout -out "$directory/$2" >"$directory/text" 2>&1
}
list=$1
part SEQUENCE body
part 'BIT STRING' signature
openssl pkeyutl -verify -pubin -inkey "$directory/key.pem" -rawin -digest sm3 -pkeyopt distid:1234567812345678 \
  -in "$directory/body" -sigfile "$directory/signature"
