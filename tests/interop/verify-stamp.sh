#!/bin/sh
# Lets Bouncy Castle verify a time stamp: its query, its signature, who stamped, and up to the root.
#
#   verify-stamp.sh QUERY.der REPLY.der ISSUER.cer
set -eu
jars=/usr/share/java
exec java -cp "$jars/bcprov.jar:$jars/bcpkix.jar:$jars/bcutil.jar" "$(dirname "$0")/VerifyStamp.java" "$@"
