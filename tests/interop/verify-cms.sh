#!/bin/sh
# Lets Bouncy Castle verify a signature over a record: signed attributes, chain, revocation.
#
#   verify-cms.sh RECORD SIGNATURE.p7s ROOT.pem LIST.der…
set -eu
jars=/usr/share/java
exec java -cp "$jars/bcprov.jar:$jars/bcpkix.jar:$jars/bcutil.jar" "$(dirname "$0")/VerifyCms.java" "$@"
