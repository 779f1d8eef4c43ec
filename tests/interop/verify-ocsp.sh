#!/bin/sh
# Lets Bouncy Castle verify the answer about one certificate, and say it: who answers, for whom, with which signature.
#
#   verify-ocsp.sh RESPONSE.der ISSUER.cer SERIAL
set -eu
jars=/usr/share/java
exec java -cp "$jars/bcprov.jar:$jars/bcpkix.jar:$jars/bcutil.jar" "$(dirname "$0")/VerifyOcsp.java" "$@"
