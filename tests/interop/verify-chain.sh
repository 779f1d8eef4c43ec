#!/bin/sh
# Lets the openssl command verify a certificate against its issuer, and the issuer against the root.
#
#   verify-chain.sh CERTIFICATE.der ISSUER.pem ROOT.pem
#
# OpenSSL 3.0 uses the SM2 identifier it is given for the certificate in question only, and the empty one for its
# issuers; so every link is verified by itself, the one above being trusted. The root's own signature is out of its reach.
set -eu
certificate=$1 issuer=$2 root=$3
directory=$(mktemp -d)
trap 'rm -r "$directory"' EXIT
openssl x509 -inform DER -in "$certificate" -out "$directory/certificate.pem"

link() { # trusted certificate
  openssl verify -vfyopt distid:1234567812345678 -x509_strict -partial_chain -trusted "$1" "$2"
}
link "$issuer" "$directory/certificate.pem"
link "$root" "$issuer"
