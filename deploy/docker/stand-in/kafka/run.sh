#!/bin/bash
# The official image's contract: KAFKA_A_B becomes a.b, ___ a hyphen, __ an underscore; without any, one node by itself.
set -euo pipefail
properties=/opt/kafka/config/server.properties
if ! compgen -A variable | grep -qE '^KAFKA_(NODE_ID|PROCESS_ROLES)$'; then
    export KAFKA_NODE_ID=1 KAFKA_PROCESS_ROLES=broker,controller KAFKA_CONTROLLER_QUORUM_VOTERS=1@localhost:9093
    export KAFKA_LISTENERS=PLAINTEXT://:9092,CONTROLLER://:9093 KAFKA_CONTROLLER_LISTENER_NAMES=CONTROLLER
    export KAFKA_ADVERTISED_LISTENERS=PLAINTEXT://localhost:9092 KAFKA_OFFSETS_TOPIC_REPLICATION_FACTOR=1
    export KAFKA_LISTENER_SECURITY_PROTOCOL_MAP=CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT
fi
export KAFKA_LOG_DIRS="${KAFKA_LOG_DIRS:-/tmp/kraft-combined-logs}"
: > "$properties"
for name in $(compgen -A variable | grep '^KAFKA_' | grep -vE '^KAFKA_(HEAP_OPTS|OPTS|JVM_PERFORMANCE_OPTS|LOG4J_)'); do
    key="$(printf '%s' "${name#KAFKA_}" | tr '[:upper:]' '[:lower:]' | sed -e 's/___/-/g' -e 's/__/\x01/g' -e 's/_/./g' -e 's/\x01/_/g')"
    printf '%s=%s\n' "$key" "${!name}" >> "$properties"
done
java=(java ${KAFKA_HEAP_OPTS:--Xms256m -Xmx512m} -XX:+UseSerialGC -XX:+ExitOnOutOfMemoryError
      -Djava.awt.headless=true -Dlog4j2.configurationFile=/opt/kafka/log4j2.yaml -cp '/opt/kafka/libs/*')
"${java[@]}" kafka.tools.StorageTool format --ignore-formatted -t "${CLUSTER_ID:-5L6g3nShT-eMCtK--X86sw}" -c "$properties"
exec "${java[@]}" kafka.Kafka "$properties"
