from __future__ import annotations

import contextlib
import importlib.util
import json
import os
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from llmbench.cli.doctor import doctor
from llmbench.doctor import Check, Diagnosis, examine, reach
from llmbench.doctor import endpoints as doctor_endpoints
from llmbench.ledger import Ledger
from llmbench.providers.backends import BACKENDS
from llmbench.providers.registry import every_key_variable

KEY = "sk-proj-0123456789abcdefghijKLMN"
OTHER_KEY = "tg-9876543210zyxwvutsrq"
TODAY = date(2026, 11, 24)


@dataclass
class Server:
    """Answers every GET the same way, and keeps what it was sent."""

    status: int = 200
    delay: float = 0.0
    location: str | None = None
    seen: list[tuple[str, dict[str, str]]] = field(default_factory=list)
    address: str = ""


@pytest.fixture
def serve() -> Iterator[Callable[..., Server]]:
    running: list[ThreadingHTTPServer] = []

    def start(**settings: Any) -> Server:
        state = Server(**settings)

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                headers = {name.lower(): value for name, value in self.headers.items()}
                state.seen.append((self.path, headers))
                time.sleep(state.delay)
                # A server that repeats what it was sent: nothing of it may be shown.
                body = json.dumps({"error": headers, "path": self.path}).encode()
                self.send_response(state.status)
                if state.location:
                    self.send_header("Location", state.location)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                with contextlib.suppress(OSError):
                    self.wfile.write(body)

            def log_message(self, *arguments: Any) -> None:
                pass

        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        running.append(server)
        state.address = f"http://127.0.0.1:{server.server_address[1]}"
        return state

    yield start
    for server in running:
        server.shutdown()
        server.server_close()


@pytest.fixture
def configure(project: Path) -> Callable[[str], Path]:
    def write(text: str) -> Path:
        (project / "llmbench.toml").write_text(text, encoding="utf-8")
        return project

    return write


def check(found: Diagnosis, subject: str) -> Check:
    matches = [each for each in found.checks if each.subject == subject]
    assert len(matches) == 1, found.checks
    return matches[0]


def everything_shown(found: Diagnosis) -> str:
    return "\n".join([repr(found), str(found), json.dumps(found.data()), found._repr_html_()])


def test_a_machine_without_keys_and_endpoints_is_asked_nothing(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*arguments: object, **settings: object) -> None:
        raise AssertionError("somebody was asked")

    monkeypatch.setattr("llmbench.doctor.examination.contact_all", refuse)
    found = examine(today=TODAY)
    assert found.healthy
    assert check(found, "openai") == (
        "openai", "ok", "No key (OPENAI_API_KEY is not set); not asked."
    )  # fmt: skip
    assert check(found, "llmbench.toml").status == "ok"
    assert not (project / ".llmbench").exists()


def test_every_vendor_of_the_registry_is_looked_at() -> None:
    looked_at = {
        variable
        for vendor in doctor_endpoints.VENDORS.values()
        for variable in doctor_endpoints.key_variables(vendor.provider, vendor.backend)
    }
    assert every_key_variable() - looked_at == {"AZURE_OPENAI_API_KEY"}  # asked where its resource is


@pytest.mark.parametrize(
    ("vendor", "variable", "header", "value"),
    [
        ("openai", "OPENAI_API_KEY", "authorization", f"Bearer {KEY}"),
        ("anthropic", "ANTHROPIC_API_KEY", "x-api-key", KEY),
        ("gemini", "GOOGLE_API_KEY", "x-goog-api-key", KEY),
        ("together", "TOGETHER_API_KEY", "authorization", f"Bearer {KEY}"),
        ("replicate", "REPLICATE_API_TOKEN", "authorization", f"Bearer {KEY}"),
    ],
)
@pytest.mark.parametrize(("status", "expected"), [(200, "ok"), (401, "problem"), (429, "warning")])
def test_a_vendor_is_asked_with_its_own_key_in_its_own_header(
    vendor: str,
    variable: str,
    header: str,
    value: str,
    status: int,
    expected: str,
    project: Path,
    serve: Callable[..., Server],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    server, others = serve(status=status), serve()
    for name, row in list(doctor_endpoints.VENDORS.items()):
        address = server.address if name == vendor else others.address
        monkeypatch.setitem(doctor_endpoints.VENDORS, name, row._replace(base_url=address))
    monkeypatch.setenv(variable, KEY)
    found = examine(today=TODAY)
    [(path, headers)] = server.seen
    assert "models" in path
    assert headers[header] == value
    assert [name for name, sent in headers.items() if KEY in sent] == [header]
    assert others.seen == []
    assert check(found, vendor).status == expected
    assert KEY not in everything_shown(found)
    assert found.healthy is (status != 401)


def test_offline_asks_nobody(
    configure: Callable[[str], Path], serve: Callable[..., Server], monkeypatch: pytest.MonkeyPatch
) -> None:
    server = serve()
    configure(f'[endpoints.gpu]\nprovider = "custom"\nbase_url = "{server.address}/v1"\n')
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    found = examine(offline=True, today=TODAY)
    assert server.seen == []
    assert (
        check(found, "openai").message == "A key is in OPENAI_API_KEY (environment); not asked (--offline)."
    )
    assert check(found, "endpoint gpu").status == "ok"
    assert KEY not in everything_shown(found)


def test_a_vendors_key_does_not_go_to_an_endpoint_of_ones_own(
    configure: Callable[[str], Path], serve: Callable[..., Server], monkeypatch: pytest.MonkeyPatch
) -> None:
    server = serve()
    configure(
        f'[endpoints.gpu]\nprovider = "custom"\nbase_url = "{server.address}/v1"\n'
        f'[endpoints.vllm]\nprovider = "llama"\nbackend = "vllm"\nbase_url = "{server.address}/v1"\n'
        f'[endpoints.gateway]\nprovider = "custom"\nbase_url = "{server.address}/v1"\n'
        'api_key_env = "GATEWAY_WORD"\n'
        f'[endpoints.proxy]\nprovider = "openai"\nbase_url = "{server.address}/v1"\n'
    )
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    monkeypatch.setenv("TOGETHER_API_KEY", KEY)
    monkeypatch.setenv("GATEWAY_WORD", OTHER_KEY)
    closed = {
        name: row._replace(base_url="http://127.0.0.1:9") for name, row in doctor_endpoints.VENDORS.items()
    }
    monkeypatch.setattr(doctor_endpoints, "VENDORS", closed)
    found = examine(today=TODAY)
    assert all(KEY not in str(headers) for _, headers in server.seen)
    with_key = [headers for _, headers in server.seen if "authorization" in headers]
    assert [headers["authorization"] for headers in with_key] == [f"Bearer {OTHER_KEY}"]
    assert len(server.seen) == 3  # the proxy names no key of its own, and is not asked
    assert check(found, "endpoint proxy").status == "problem"
    assert "api_key_env" in check(found, "endpoint proxy").message
    assert "GATEWAY_WORD" in check(found, "endpoint gateway").message
    assert KEY not in everything_shown(found)
    assert OTHER_KEY not in everything_shown(found)


def test_a_vendor_that_is_an_endpoint_is_told_of_once(
    configure: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    # Where nobody listens, the same sentence stood there twice.
    configure('[endpoints.openai]\nprovider = "openai"\n')
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    closed = {
        name: row._replace(base_url="http://127.0.0.1:9") for name, row in doctor_endpoints.VENDORS.items()
    }
    monkeypatch.setattr(doctor_endpoints, "VENDORS", closed)
    found = examine(today=TODAY)
    assert [each.subject for each in found.of("problem")] == ["endpoint openai"]
    assert "127.0.0.1:9" in check(found, "endpoint openai").message
    assert "openai" not in [each.subject for each in found.checks]


@pytest.mark.parametrize(
    ("settings", "status", "said"),
    [
        ({"status": 404}, "ok", "without a list of models: 404"),
        ({"status": 403}, "problem", "refuses the key in GATEWAY_WORD (403)"),
        ({"status": 503}, "problem", "fails (503)"),
        ({"status": 307, "location": "https://elsewhere.example/v1"}, "problem", "correct base_url"),
        ({"delay": 1.0}, "problem", "no answer within 0.3 s"),
    ],
)
def test_what_an_endpoint_answers(
    settings: dict[str, Any],
    status: str,
    said: str,
    configure: Callable[[str], Path],
    serve: Callable[..., Server],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    server = serve(**settings)
    configure(
        f'[endpoints.gateway]\nprovider = "custom"\nbase_url = "{server.address}/v1"\n'
        'api_key_env = "GATEWAY_WORD"\n'
    )
    monkeypatch.setenv("GATEWAY_WORD", OTHER_KEY)
    found = examine(today=TODAY, seconds=0.3)
    answer = check(found, "endpoint gateway")
    assert (answer.status, said in answer.message) == (status, True), answer
    assert len(server.seen) == 1
    assert OTHER_KEY not in everything_shown(found)


def test_endpoints_are_asked_at_the_same_time(
    configure: Callable[[str], Path], serve: Callable[..., Server]
) -> None:
    server = serve(delay=5.0)
    configure(
        "".join(
            f'[endpoints.e{number}]\nprovider = "custom"\nbase_url = "{server.address}/v1"\n'
            for number in range(6)
        )
    )
    start = time.monotonic()
    found = examine(today=TODAY, seconds=0.5)
    assert time.monotonic() - start < 3  # one after the other would take 3 s and more
    assert [each.status for each in found.checks if each.subject.startswith("endpoint ")] == ["problem"] * 6


def test_nothing_listens(configure: Callable[[str], Path]) -> None:
    configure('[endpoints.gpu]\nprovider = "custom"\nbase_url = "http://127.0.0.1:9/v1"\n')
    answer = check(examine(today=TODAY), "endpoint gpu")
    assert answer.status == "problem"
    assert "start the server, or correct base_url" in answer.message


@pytest.mark.parametrize(
    "base_url",
    [
        f"https://ada:{OTHER_KEY}@gateway.example/v1",
        f"https://{OTHER_KEY}@gateway.example/v1",
        f"https://gateway.example/v1?key={OTHER_KEY}",
        f"ftp://ada:{OTHER_KEY}@gateway.example/v1",
        f"https://gateway.example:{OTHER_KEY}/v1",
    ],
)
def test_a_key_inside_an_address_is_not_shown(base_url: str, configure: Callable[[str], Path]) -> None:
    configure(f'[endpoints.gateway]\nprovider = "custom"\nbase_url = "{base_url}"\n')
    found = examine(today=TODAY)
    assert check(found, "endpoint gateway").status == "problem"
    assert OTHER_KEY not in everything_shown(found)


def test_a_key_where_the_name_of_a_variable_belongs_is_not_shown(configure: Callable[[str], Path]) -> None:
    configure(f'[endpoints.openai]\nprovider = "openai"\napi_key_env = "{KEY}"\n')
    found = examine(today=TODAY)
    answer = check(found, "endpoint openai")
    assert answer.status == "problem"
    assert "api_key_env is not the name of a variable" in answer.message
    assert KEY not in everything_shown(found)


def test_a_message_that_would_hold_a_key_is_withheld(
    configure: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    configure(f'[endpoints.x]\nprovider = "{OTHER_KEY}"\n')  # the message names the unknown provider
    monkeypatch.setenv("SOME_API_KEY", OTHER_KEY)
    found = examine(today=TODAY)
    assert OTHER_KEY not in everything_shown(found)
    assert any("SOME_API_KEY" in each.message and each.status == "problem" for each in found.checks)


def test_a_broken_configuration_does_not_end_the_examination(
    configure: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    configure("[endpoints.gpu\n")
    found = examine(today=TODAY, offline=True)
    assert check(found, "llmbench.toml").status == "problem"
    assert {"python", "disk", "prices", "openai", "extras", "ledger"} <= {
        each.subject for each in found.checks
    }
    assert check(found, "ledger").status == "ok"  # LLMBENCH_LEDGER says where it is
    monkeypatch.delenv("LLMBENCH_LEDGER")
    assert check(examine(today=TODAY, offline=True), "ledger").status == "warning"


def test_prices_toml_is_read(project: Path) -> None:
    (project / "prices.toml").write_text("[openai\n", encoding="utf-8")
    answer = check(examine(today=TODAY, offline=True), "prices.toml")
    assert answer.status == "problem"
    assert "line 1" in answer.message


@pytest.mark.parametrize(("days", "status"), [(60, "ok"), (61, "warning")])
def test_old_prices(days: int, status: str, project: Path) -> None:
    from llmbench.catalog import price_book

    as_of = date.fromisoformat(price_book("current").as_of)
    found = examine(today=date.fromordinal(as_of.toordinal() + days), offline=True)
    assert check(found, "prices").status == status


@pytest.mark.parametrize(
    ("today", "status"),
    [
        (date(2026, 10, 15), None),
        (date(2026, 10, 16), "warning"),
        (date(2027, 1, 13), "warning"),
        (date(2027, 1, 14), "problem"),
    ],
)
def test_a_model_that_ends(
    today: date, status: str | None, configure: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    # gpt-4o ends on 2027-01-14 at OpenAI, and never on a machine of one's own.
    configure(
        '[endpoints.cloud]\nprovider = "openai"\nmodel = "gpt-4o-2024-08-06"\n'
        '[endpoints.gpu]\nprovider = "custom"\nbase_url = "http://127.0.0.1:9/v1"\nmodel = "gpt-4o"\n'
    )
    found = [each for each in examine(today=today, offline=True).checks if each.subject.startswith("model ")]
    endings = [each for each in found if "2027-01-14" in each.message]
    assert [each.status for each in endings] == ([status] if status else [])


def test_missing_extras(configure: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch) -> None:
    find = importlib.util.find_spec
    absent = {"openai", "papermill", "replicate"}
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name, *a: None if name in absent else find(name, *a)
    )
    configure('[endpoints.cloud]\nprovider = "openai"\nmodel = "gpt-4o"\n')
    found = examine(today=date(2026, 1, 1), offline=True)
    assert check(found, "extra openai") == (
        "extra openai", "problem", "An endpoint or a key needs it: pip install 'llmbench[openai]'."
    )  # fmt: skip
    assert check(found, "endpoint cloud").message == "It needs an extra: pip install 'llmbench[openai]'."
    assert check(found, "extra notebooks").status == "warning"
    rest = check(found, "extras")
    assert rest.status == "ok"
    assert "pip install 'llmbench[replicate]'" in rest.message


def test_the_ledger_is_looked_at_and_left_as_it_is(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = project / "calls" / "ledger.db"
    monkeypatch.setenv("LLMBENCH_LEDGER", str(path))
    assert check(examine(today=TODAY, offline=True), "ledger").status == "ok"
    assert not path.parent.exists()
    Ledger(path).close()
    before = {each.name: each.read_bytes() for each in path.parent.iterdir()}
    answer = check(examine(today=TODAY, offline=True), "ledger")
    assert (answer.status, "0 calls" in answer.message) == ("ok", True)
    assert {each.name: each.read_bytes() for each in path.parent.iterdir()} == before


def test_a_ledger_that_is_none(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = project / "ledger.db"
    path.write_text("not a database, but long enough to be looked at as one", encoding="utf-8")
    monkeypatch.setenv("LLMBENCH_LEDGER", str(path))
    assert check(examine(today=TODAY, offline=True), "ledger").status == "problem"


def test_a_ledger_in_a_database_that_does_not_answer(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LLMBENCH_LEDGER", f"postgresql://ada:{OTHER_KEY}@127.0.0.1:1/ledger")
    assert check(examine(today=TODAY, offline=True), "ledger").status == "ok"
    found = examine(today=TODAY)
    assert check(found, "ledger").status == "problem"
    assert "postgresql://127.0.0.1:1/ledger cannot be reached" in check(found, "ledger").message
    assert not {OTHER_KEY, "ada"} & set(everything_shown(found).replace(":", " ").split())
    assert OTHER_KEY not in everything_shown(found)


def test_a_ledger_in_a_database(postgres_url: str, project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LLMBENCH_LEDGER", postgres_url)
    assert check(examine(today=TODAY), "ledger").message.startswith("0 calls, schema 0")
    Ledger().close()
    answer = check(examine(today=TODAY), "ledger")
    assert (answer.status, answer.message.split(",")[0]) == ("ok", "0 calls")


@pytest.mark.parametrize("there", [True, False])
def test_a_read_only_folder(there: bool, project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = project / "calls"
    folder.mkdir()
    monkeypatch.setenv("LLMBENCH_LEDGER", str(folder / "ledger.db"))
    if there:
        Ledger(folder / "ledger.db").close()
    folder.chmod(0o500)
    try:
        if os.access(folder, os.W_OK):
            pytest.skip("this user may write everywhere")
        answer = check(examine(today=TODAY, offline=True), "ledger")
    finally:
        folder.chmod(0o700)
    assert answer.status == "problem"
    assert "writable" in answer.message


def test_a_ledger_that_may_not_be_written(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    Ledger().close()
    monkeypatch.setattr("os.access", lambda path, mode: mode != os.W_OK)
    answer = check(examine(today=TODAY, offline=True), "ledger")
    assert (answer.status, "no call can be recorded" in answer.message) == ("problem", True)


def test_a_read_only_disk(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*arguments: object, **settings: object) -> None:
        raise OSError(30, "Read-only file system")

    monkeypatch.setattr("tempfile.TemporaryFile", refuse)
    answer = check(examine(today=TODAY, offline=True), "ledger")
    assert answer.status == "problem"
    assert "Read-only file system" in answer.message


@pytest.mark.parametrize(
    ("free", "status"), [(2_000_000_000, "ok"), (500_000_000, "warning"), (50_000_000, "problem")]
)
def test_disk_space(free: int, status: str, project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shutil.disk_usage", lambda path: type("Usage", (), {"free": free})())
    assert check(examine(today=TODAY, offline=True), "disk").status == status


def test_the_models_file(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LLMBENCH_CACHE", str(project / "cache"))
    answer = check(examine(today=TODAY, offline=True), "model smollm2-135m")
    assert (answer.status, "llmbench models pull smollm2-135m" in answer.message) == ("warning", True)


def test_the_command(configure: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    configure("")
    done = CliRunner().invoke(doctor, ["--offline"])
    assert done.exit_code == 0, done.output
    assert "\x1b" not in done.output
    assert max(map(len, done.output.splitlines())) <= 80
    configure("[endpoints.gpu\n")
    done = CliRunner().invoke(doctor, ["--offline", "--json"])
    assert done.exit_code == 1
    told = json.loads(done.output)
    assert told["healthy"] is False
    assert {"check", "status", "message"} == set(told["checks"][0])


def test_a_result_for_a_notebook() -> None:
    found = Diagnosis((Check("a<b", "problem", "x"),))
    assert "a&lt;b" in found._repr_html_()
    assert list(found.to_pandas().columns) == ["check", "status", "message"]
    assert not found.healthy


def test_headers_without_a_key() -> None:
    assert reach.headers_of("openai", None) == {}
    assert reach.headers_of("gemini", None) == {}


def test_today_is_taken_in_utc(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[date] = []
    monkeypatch.setattr("llmbench.doctor.project.prices", lambda today: seen.append(today) or [])
    before = datetime.now(UTC).date()
    examine(offline=True)
    assert before <= seen[0] <= datetime.now(UTC).date()


def test_every_backend_with_a_key_is_asked() -> None:
    keyed = {name for name, row in BACKENDS.items() if row.key_variables}
    assert keyed <= {vendor.backend for vendor in doctor_endpoints.VENDORS.values()}
