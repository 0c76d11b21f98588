"""What a stack needs to be attacked with: several brokers, proxies, a disk that can be full."""

import errno
import json
import os
import shutil
from itertools import count
from pathlib import Path

import pytest
from revcycle_devstack import DevstackError
from revcycle_devstack.attack_tools import ensure_faketime, ensure_toxiproxy
from revcycle_devstack.connections import Connections
from revcycle_devstack.kafka import Proxied, server_properties
from revcycle_devstack.layout import StateLayout
from revcycle_devstack.memory_disk import can_mount, mount_memory_disk, unmount_memory_disk
from revcycle_devstack.network import plan_network, toxiproxy_server
from revcycle_devstack.plan import PlannedProcess, StackOptions, service_environment
from revcycle_devstack.servers import broker_names
from revcycle_devstack.supervision import backoff_seconds

CONTROLLERS = {1: 9193, 2: 9293, 3: 9393}


def test_three_brokers_keep_three_copies_and_acknowledge_two() -> None:
    """Promise: with three nodes no acknowledged record is on one disk only, and a node that lags never leads."""
    properties = server_properties(9292, 9293, Path("/data"), node_id=2, controllers=CONTROLLERS)
    assert properties["node.id"] == "2"
    assert properties["controller.quorum.voters"] == "1@127.0.0.1:9193,2@127.0.0.1:9293,3@127.0.0.1:9393"
    assert properties["default.replication.factor"] == properties["offsets.topic.replication.factor"] == "3"
    assert properties["min.insync.replicas"] == "2"
    assert properties["unclean.leader.election.enable"] == "false"
    assert server_properties(9092, 9093, Path("/data"))["min.insync.replicas"] == "1"


def test_a_broker_sends_those_who_come_through_the_proxy_back_to_the_proxy() -> None:
    """Promise: no client leaves the bad network because the broker told it a better way."""
    properties = server_properties(9092, 9093, Path("/data"), proxied=Proxied(port=9094, advertised_port=9095))
    assert "PROXIED://127.0.0.1:9094" in properties["listeners"].split(",")
    assert "PROXIED://127.0.0.1:9095" in properties["advertised.listeners"].split(",")
    assert "PROXIED" not in server_properties(9092, 9093, Path("/data"))["listeners"]


def test_services_see_proxies_and_everyone_else_sees_the_servers(tmp_path: Path) -> None:
    """Promise: faults of the network meet services, never the one who checks them."""
    ports = count(24_000)
    network = plan_network(["claims-1", "claims-2"], 55432, {"kafka": 9094}, lambda: next(ports))
    layout = StateLayout(tmp_path)
    connections = Connections(layout, "postgresql://127.0.0.1:55432", "127.0.0.1:9092")
    process = PlannedProcess("claims-2", "claims", 8203)
    found = service_environment({}, StackOptions(tmp_path), connections, process, None, network)
    route = network.to_postgresql["claims-2"]
    assert f"@127.0.0.1:{route.port}/" in found["REVCYCLE_DATABASE_URL"]
    assert found["REVCYCLE_KAFKA_BOOTSTRAP_SERVERS"] == network.bootstrap_servers
    assert "@127.0.0.1:55432/" in connections.database_url("claims")
    toxiproxy_server(Path("/bin/server"), network, tmp_path, tmp_path / "log")
    config = json.loads((tmp_path / "toxiproxy.json").read_text())
    assert [(each["listen"], each["upstream"]) for each in config] == [
        ("127.0.0.1:24000", "127.0.0.1:55432"),
        ("127.0.0.1:24001", "127.0.0.1:55432"),
        ("127.0.0.1:24002", "127.0.0.1:9094"),
    ]


def test_what_cannot_be_had_is_said_with_the_reason(tmp_path: Path) -> None:
    """Promise: a machine without Go or apt-get is told what is missing instead of failing half-way."""
    with pytest.raises(DevstackError, match="no go on the PATH"):
        ensure_toxiproxy(tmp_path, {"PATH": ""})
    library = tmp_path / "lib" / "x86_64-linux-gnu" / "faketime" / "libfaketime.so.1"
    library.parent.mkdir(parents=True)
    library.touch()
    assert ensure_faketime(tmp_path, system=tmp_path / "lib") == library


def test_two_brokers_are_refused_and_names_tell_how_many_there_are() -> None:
    """Promise: a cluster that could not lose one node without stopping is not offered."""
    with pytest.raises(DevstackError, match="neither 1 nor 3"):
        StackOptions(Path("/state"), brokers=2)
    assert broker_names(1) == ("kafka",)
    assert broker_names(3) == ("kafka-1", "kafka-2", "kafka-3")


def test_the_pause_before_a_restart_can_be_bounded() -> None:
    """Promise: a run of faults may start what it killed sooner than production would."""
    assert [backoff_seconds(deaths, 2.0) for deaths in range(1, 5)] == [1, 2, 2, 2]


@pytest.mark.skipif(can_mount() is not None, reason=str(can_mount()))
def test_a_memory_disk_can_be_full_and_is_gone_afterwards(tmp_path: Path) -> None:
    """Promise: a full disk is full for whoever writes to it, and nothing else of the machine is."""
    disk = tmp_path / "disk"
    mount_memory_disk(disk, 1)
    try:
        with (disk / "file").open("wb") as stream, pytest.raises(OSError) as full:
            os.posix_fallocate(stream.fileno(), 0, 2 * 1024 * 1024)
        assert full.value.errno == errno.ENOSPC
        assert shutil.disk_usage(disk).total == 1024 * 1024
    finally:
        unmount_memory_disk(disk)
    assert not disk.is_mount()
    unmount_memory_disk(disk)
