"""Who may do what, tried out: every operation, every role, every way a token can be wrong, and another tenant."""

import sys
from collections import Counter
from pathlib import Path

import httpx
import pytest
from revcycle_service_kit.auth import ROLES
from revcycle_service_kit.testing import OTHER_TENANT, TENANT, MakesDatabases

sys.path.insert(0, str(Path(__file__).parent))

from access_system import Json, Operation, System, running_system

pytestmark = [pytest.mark.component, pytest.mark.slow, pytest.mark.timeout(300)]
NOBODYS = "0190ffff-0000-7000-8000-0000000000ff"
NAMES = {"side": "professional", "npi": "1679576722", "payer_id": "NOPAYER", "name": "nothing", "kpi_id": "nothing"}


class Trial:
    """Calls operations and counts the cells of the matrix that were tried."""

    def __init__(self, system: System) -> None:
        self.system = system
        self.cells: Counter[str] = Counter()
        self._clients = {name: service.anonymous_client() for name, service in system.services.items()}

    async def call(
        self, what: str, operation: Operation, token: str | None, ids: dict[str, str] | None = None
    ) -> httpx.Response:
        """One cell. Without ``ids``, a path names things that nobody has."""
        self.cells[what] += 1
        headers = {"idempotency-key": f"matrix-{self.cells.total()}", "if-match": '"1"'}
        if token is not None:
            headers["authorization"] = f"Bearer {token}"
        path = operation.address(_Nobodys({**NAMES, **(ids or {})}))
        client = self._clients[operation.service]
        return await client.request(operation.method, path, json=operation.body, headers=headers)


class _Nobodys(dict[str, str]):
    def __missing__(self, name: str) -> str:
        return NOBODYS


def told(answer: httpx.Response) -> tuple[int, Json]:
    """What an answer says, without what differs between any two requests."""
    body = answer.json() if answer.content else None
    if isinstance(body, dict):
        body.pop("request_id", None)
    return answer.status_code, body


async def test_every_operation_for_every_role_tenant_and_token(
    postgresql: MakesDatabases, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A role passes exactly where its row says so; a wrong token learns nothing; another tenant finds nothing."""
    async with running_system(postgresql, tmp_path) as system:
        trial = Trial(system)
        operations = system.operations()
        for operation in operations:
            await refuses_wrong_tokens(trial, operation)
            await obeys_the_table(trial, operation)
        found = [await hides_from_other_tenants(trial, operation) for operation in operations]
        assert sum(found) >= 15, "too few operations were tried with an id that exists"
    with capsys.disabled():
        counts = ", ".join(f"{what} {count}" for what, count in sorted(trial.cells.items()))
        print(f"\naccess matrix: {len(operations)} operations, {trial.cells.total()} cells ({counts})", file=sys.stderr)  # noqa: T201


async def refuses_wrong_tokens(trial: Trial, operation: Operation) -> None:
    """401 with the same words, whatever is wrong."""
    signed = trial.system.signed
    answers = [await trial.call("no token", operation, None)]
    for role in sorted(ROLES):
        answers.append(await trial.call("expired", operation, signed(TENANT, role, exp=1)))
        answers.append(await trial.call("wrong audience", operation, signed(TENANT, role, aud="elsewhere")))
    assert {answer.status_code for answer in answers} == {401}, operation
    assert len({str(told(answer)) for answer in answers[1:]}) == 1, operation


async def obeys_the_table(trial: Trial, operation: Operation) -> None:
    """403 for who has no row; for the others the request goes on to be judged."""
    allowed = trial.system.table(operation.service)[operation.name].roles
    for role in sorted(ROLES):
        for what, tenant in (("own tenant", TENANT), ("foreign tenant", OTHER_TENANT)):
            answer = await trial.call(what, operation, trial.system.signed(tenant, role))
            if role in allowed:
                assert answer.status_code not in (401, 403, 429) and answer.status_code < 500, (operation, role)
            else:
                assert answer.status_code == 403, (operation, role, answer.text)


async def hides_from_other_tenants(trial: Trial, operation: Operation) -> bool:
    """An id that exists elsewhere is answered like one that exists nowhere; says whether there was one to try."""
    ids = trial.system.ids.get(operation.service, {})
    wanted = {name for name in ids if f"{{{name}}}" in operation.path and name != "side"}
    if not wanted:
        return False
    for role in sorted(trial.system.table(operation.service)[operation.name].roles):
        token = trial.system.signed(OTHER_TENANT, role)
        nowhere = told(await trial.call("nobody's id", operation, token))
        elsewhere = told(await trial.call("foreign id", operation, token, ids))
        assert nowhere == elsewhere, operation
        if operation.method == "GET":
            assert elsewhere[0] == 404, operation
            own = await trial.call("own id", operation, trial.system.signed(TENANT, role), ids)
            assert own.status_code == 200, (operation, own.text)
    return True
