"""The servers lent to tests are real, and rights between their databases are those of production."""

import asyncio

import asyncpg
import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, ConsumerRecord
from revcycle_devstack import DevstackError
from revcycle_devstack.testing import KafkaBroker, PostgresServer
from revcycle_devstack.topics import TopicDefinition, recreate_topics

pytestmark = pytest.mark.component


async def _execute(url: str, *statements: str) -> None:
    connection = await asyncpg.connect(url)
    try:
        for statement in statements:
            await connection.execute(statement)
    finally:
        await connection.close()


async def _value(url: str, query: str) -> object:
    connection = await asyncpg.connect(url)
    try:
        return await connection.fetchval(query)
    finally:
        await connection.close()


async def test_postgresql_is_18_or_newer(postgresql: PostgresServer) -> None:
    assert int(str(await _value(postgresql.admin_url, "SHOW server_version_num"))) >= 180_000


async def test_service_role_reads_and_writes_what_the_owner_makes_and_makes_nothing_itself(
    postgresql: PostgresServer,
) -> None:
    database = await postgresql.create_database("rights")
    await _execute(
        database.owner_url,
        "CREATE SCHEMA ward",
        f'GRANT USAGE ON SCHEMA ward TO "{database.service_role}"',
        "CREATE TABLE ward.bed (bed_id bigint GENERATED ALWAYS AS IDENTITY, label text)",
    )
    await _execute(
        database.service_url,
        "INSERT INTO ward.bed (label) VALUES ('a'), ('b')",
        "UPDATE ward.bed SET label = 'c' WHERE label = 'a'",
        "DELETE FROM ward.bed WHERE label = 'b'",
    )
    assert await _value(database.service_url, "SELECT string_agg(label, ',') FROM ward.bed") == "c"
    for forbidden in (
        "CREATE TABLE ward.other (x int)",
        "CREATE TABLE public.other (x int)",
        "CREATE SCHEMA mine",
        "ALTER TABLE ward.bed DISABLE ROW LEVEL SECURITY",
        "TRUNCATE ward.bed",
    ):
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await _execute(database.service_url, forbidden)


async def test_no_role_enters_another_database(postgresql: PostgresServer) -> None:
    one = await postgresql.create_database("one")
    other = await postgresql.create_database("other")
    for url in (one.service_url, one.owner_url):
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await _execute(f"{url.rsplit('/', 1)[0]}/{other.name}", "SELECT 1")


async def test_row_security_binds_the_service_and_not_the_checker_who_cannot_write(postgresql: PostgresServer) -> None:
    database = await postgresql.create_database("rls")
    await _execute(
        database.owner_url,
        "CREATE SCHEMA ward",
        f'GRANT USAGE ON SCHEMA ward TO "{database.service_role}"',
        "CREATE TABLE ward.bed (tenant int)",
        "INSERT INTO ward.bed VALUES (1), (2)",
        "ALTER TABLE ward.bed ENABLE ROW LEVEL SECURITY",
        "ALTER TABLE ward.bed FORCE ROW LEVEL SECURITY",
        "CREATE POLICY one ON ward.bed USING (tenant = 1)",
    )
    assert await _value(database.service_url, "SELECT count(*) FROM ward.bed") == 1
    assert await _value(database.checker_url, "SELECT count(*) FROM ward.bed") == 2
    with pytest.raises((asyncpg.InsufficientPrivilegeError, asyncpg.ReadOnlySQLTransactionError)):
        await _execute(database.checker_url, "DELETE FROM ward.bed")


async def test_a_password_is_needed(postgresql: PostgresServer) -> None:
    database = await postgresql.create_database("password")
    password = database.service_url.split(":", 2)[2].split("@", 1)[0]
    with pytest.raises(asyncpg.InvalidPasswordError):
        await _execute(database.service_url.replace(password, "wrong"), "SELECT 1")


async def test_a_record_travels_through_a_topic_made_for_it(kafka: KafkaBroker) -> None:
    (topic,) = await kafka.create_topics(["records"], partitions=3, prefix="devstack-test.")
    async with AIOKafkaProducer(bootstrap_servers=kafka.bootstrap_servers, acks="all", enable_idempotence=True) as out:
        await out.send_and_wait(topic, key=b"k", value=b"v")
    consumer = AIOKafkaConsumer(
        topic, bootstrap_servers=kafka.bootstrap_servers, group_id="devstack-test", auto_offset_reset="earliest"
    )
    async with consumer:
        record = await consumer.getone()
    assert (record.key, record.value) == (b"k", b"v")
    await kafka.delete_topics([topic])


async def test_partition_count_of_an_existing_topic_is_never_changed(kafka: KafkaBroker) -> None:
    await kafka.create_topics(["fixed"], partitions=3, prefix="devstack-test.")
    assert await kafka.create_topics(["fixed"], partitions=3, prefix="devstack-test.") == ("devstack-test.fixed",)
    with pytest.raises(DevstackError, match="has 3 partitions, its definition says 4"):
        await kafka.create_topics(["fixed"], partitions=4, prefix="devstack-test.")


async def _send(kafka: KafkaBroker, topic: str, values: range) -> None:
    async with AIOKafkaProducer(bootstrap_servers=kafka.bootstrap_servers, acks="all") as out:
        for value in values:
            await out.send_and_wait(topic, key=b"k", value=b"%d" % value)


async def _read(consumer: AIOKafkaConsumer, count: int) -> list[int]:
    found: list[ConsumerRecord] = []
    async with asyncio.timeout(60):
        while len(found) < count:
            found += [one for records in (await consumer.getmany(timeout_ms=500)).values() for one in records]
    await consumer.commit()
    return [int(one.value) for one in found]


async def test_a_topic_made_anew_is_read_from_its_start_by_a_member_that_never_stopped(kafka: KafkaBroker) -> None:
    """Promise: a member that read the deleted topic passes over nothing of the new one, however soon it is longer."""
    (topic,) = await kafka.create_topics(["anew"], partitions=1, prefix="devstack-test.")
    await _send(kafka, topic, range(3))
    consumer = AIOKafkaConsumer(
        topic,
        bootstrap_servers=kafka.bootstrap_servers,
        group_id="devstack-test-anew",
        auto_offset_reset="earliest",
        enable_auto_commit=False,
        metadata_max_age_ms=1_000,
    )
    async with consumer:
        assert await _read(consumer, 3) == [0, 1, 2]
        reading = asyncio.create_task(_read(consumer, 6))
        await recreate_topics(kafka.bootstrap_servers, [TopicDefinition(topic, "key", "test", 1, retention_days=1)])
        await _send(kafka, topic, range(10, 16))
        assert await reading == [10, 11, 12, 13, 14, 15]
    await kafka.delete_topics([topic])
