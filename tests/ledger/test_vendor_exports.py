from __future__ import annotations

import json
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from llmbench.errors import DatasetError, UsageError
from llmbench.ledger.vendor_exports import ExportRow, read_exports

DAY = date(2026, 11, 2)
START, END = 1_793_577_600, 1_793_664_000  # that day, in UTC

OPENAI_USAGE_CSV = (
    "start_time,end_time,start_time_iso,end_time_iso,project_id,num_model_requests,user_id,api_key_id,model,"
    "batch,service_tier,input_tokens,output_tokens,input_cached_tokens\n"
    f"{START},{END},2026-11-02T00:00:00+00:00,2026-11-03T00:00:00+00:00,proj_a,5,,key_1,"
    "gpt-4o-mini-2024-07-18,False,default,1000,500,800\n"
    f"{END},{END + 86400},2026-11-03T00:00:00+00:00,2026-11-04T00:00:00+00:00,,,,,,,,,,\n"
)
OPENAI_COST_CSV = (
    "start_time,end_time,start_time_iso,end_time_iso,amount_value,amount_currency,line_item,project_id,"
    "organization_id\n"
    f'{START},{END},2026-11-02T00:00:00,2026-11-03T00:00:00,0.00015,usd,"gpt-4o-mini-2024-07-18, input",p,o\n'
    f'{START},{END},2026-11-02T00:00:00,2026-11-03T00:00:00,0.0003,usd,"gpt-4o-mini-2024-07-18, output",p,o\n'
    f"{START},{END},2026-11-02T00:00:00,2026-11-03T00:00:00,0.01,usd,web search tool calls,proj,org\n"
    f"{END},{END + 86400},2026-11-03T00:00:00,2026-11-04T00:00:00,,,,,\n"
)
ANTHROPIC_TOKENS_CSV = (
    "usage_date_utc,model_version,api_key,workspace,usage_type,context_window,usage_input_tokens_no_cache,"
    "usage_input_tokens_cache_write_5m,usage_input_tokens_cache_write_1h,usage_input_tokens_cache_read,"
    "usage_output_tokens,web_search_count,inference_geo,speed\n"
    '2026-11-02,claude-opus-5,"Closer, App",Default,standard,≤ 200k,46981,15969,100,7,16932,0,global,\n'
)
ANTHROPIC_COST_CSV = (
    "usage_date_utc,model,workspace,api_key,usage_type,context_window,token_type,cost_usd,list_price_usd,"
    "cost_type,inference_geo,speed\n"
    "2026-11-02,Claude Haiku 4.5,Default,demo,message,≤ 200k,input_no_cache,0.05,0.05,token,not_available,\n"
    "2026-11-02,,Default,demo,,,,0.10,0.10,web_search,not_available,\n"
)


def read(tmp_path: Path, content: str | Any, name: str = "export.csv", **settings: Any) -> list[ExportRow]:
    path = tmp_path / name
    path.write_text(content if isinstance(content, str) else json.dumps(content), encoding="utf-8")
    return read_exports([path], **settings).rows


def test_openais_usage_from_the_dashboard(tmp_path: Path) -> None:
    (tmp_path / "usage.csv").write_text(OPENAI_USAGE_CSV, encoding="utf-8")
    told = read_exports([tmp_path / "usage.csv"])
    assert told.rows == [ExportRow(DAY, "gpt-4o-mini-2024-07-18", 5, 1000, 500)]
    assert (told.vendor, told.first, told.last) == ("openai", DAY, date(2026, 11, 3))


def test_openais_costs_from_the_dashboard(tmp_path: Path) -> None:
    rows = read(tmp_path, OPENAI_COST_CSV)
    assert [(row.model, row.usd) for row in rows] == [
        ("gpt-4o-mini-2024-07-18", 0.00015),
        ("gpt-4o-mini-2024-07-18", 0.0003),
        (None, 0.01),
    ]
    assert rows[2].item == "web search tool calls"
    assert all(row.input_tokens is None for row in rows)


def test_tabs_and_a_byte_order_mark(tmp_path: Path) -> None:
    text = "\ufeff" + OPENAI_USAGE_CSV.replace(",", "\t")
    assert read(tmp_path, text) == [ExportRow(DAY, "gpt-4o-mini-2024-07-18", 5, 1000, 500)]


def test_openais_pages_of_usage_and_costs_together(tmp_path: Path) -> None:
    usage = {
        "object": "page",
        "data": [
            {
                "object": "bucket", "start_time": START, "end_time": END,
                "results": [{
                    "object": "organization.usage.completions.result", "input_tokens": 1000,
                    "output_tokens": 500, "input_cached_tokens": 800, "num_model_requests": 5,
                    "project_id": None, "model": "gpt-4o-mini-2024-07-18", "batch": False,
                }],
            },
            {"object": "bucket", "start_time": END, "end_time": END + 86400, "results": []},
        ],
        "has_more": False, "next_page": None,
    }  # fmt: skip
    costs = {
        "object": "page",
        "data": [{
            "object": "bucket", "start_time": START, "end_time": END,
            "results": [{
                "object": "organization.costs.result", "amount": {"value": 0.06, "currency": "usd"},
                "line_item": "gpt-4o-mini-2024-07-18, input", "project_id": None,
            }],
        }],
        "has_more": False, "next_page": None,
    }  # fmt: skip
    (tmp_path / "pages.json").write_text(json.dumps([usage, costs]), encoding="utf-8")
    told = read_exports([tmp_path / "pages.json"], "openai")
    assert told.rows == [
        ExportRow(DAY, "gpt-4o-mini-2024-07-18", 5, 1000, 500),
        ExportRow(DAY, "gpt-4o-mini-2024-07-18", usd=0.06, item="gpt-4o-mini-2024-07-18, input"),
    ]
    assert told.last == date(2026, 11, 3)


def test_a_first_page_alone_is_refused(tmp_path: Path) -> None:
    page = {"object": "page", "data": [], "has_more": True, "next_page": "AAAA"}
    with pytest.raises(DatasetError, match="more pages"):
        read(tmp_path, page, "page.json")


def test_anthropics_tokens_count_cached_ones_too(tmp_path: Path) -> None:
    rows = read(tmp_path, ANTHROPIC_TOKENS_CSV)
    assert rows == [ExportRow(DAY, "claude-opus-5", None, 46981 + 15969 + 100 + 7, 16932)]


def test_anthropics_costs(tmp_path: Path) -> None:
    rows = read(tmp_path, ANTHROPIC_COST_CSV, vendor="anthropic")
    assert [(row.model, row.usd, row.item) for row in rows] == [
        ("Claude Haiku 4.5", 0.05, "token"),
        (None, 0.10, "web_search"),
    ]


def test_anthropics_api(tmp_path: Path) -> None:
    bucket = {"starting_at": "2026-11-02T00:00:00Z", "ending_at": "2026-11-03T00:00:00Z"}
    usage = {
        "uncached_input_tokens": 1500, "cache_read_input_tokens": 200, "output_tokens": 500,
        "cache_creation": {"ephemeral_1h_input_tokens": 1000, "ephemeral_5m_input_tokens": 500},
        "server_tool_use": {"web_search_requests": 10}, "model": "claude-opus-5", "service_tier": "standard",
    }  # fmt: skip
    cost = {"currency": "USD", "amount": "123.45", "model": "claude-opus-5", "cost_type": "tokens"}
    page = {"data": [{**bucket, "results": [usage]}, {**bucket, "results": [cost]}], "has_more": False}
    rows = read(tmp_path, page, "report.json")
    assert rows[0] == ExportRow(DAY, "claude-opus-5", None, 3200, 500)
    assert rows[1].usd == pytest.approx(1.2345)  # the API's amounts are cents


def test_togethers_billing(tmp_path: Path) -> None:
    page = {
        "object": "billing.usage_report", "currency": "USD", "next_cursor": None,
        "data": [{
            "date": "2026-11-02", "start_time": "2026-11-02T00:00:00Z", "end_time": "2026-11-03T00:00:00Z",
            "line_items": [
                {"product_name": "Serverless Inference - Input Tokens", "cost": "0.88", "quantity": "1000000",
                 "pricing_dimensions": {"model": "meta-llama/Llama-3.3-70B-Instruct-Turbo"}},
                {"product_name": "GPU Clusters", "cost": "5"},
            ],
        }],
    }  # fmt: skip
    rows = read(tmp_path, page, "billing.json")
    assert [(row.model, row.usd) for row in rows] == [
        ("meta-llama/Llama-3.3-70B-Instruct-Turbo", 0.88),
        (None, 5.0),
    ]
    with pytest.raises(DatasetError, match="EUR"):
        read(tmp_path, {**page, "currency": "EUR"}, "euros.json")


def test_any_other_table_by_a_map_of_columns(tmp_path: Path) -> None:
    columns = {"date": "when", "model": "m", "input": "in", "output": "out", "cost": "usd", "calls": "n"}
    text = "when;m;in;out;usd;n\n2026-11-02;gpt-4o;10;5;$0.25;1\n2026-11-02T23:30:00-02:00;gpt-4o;1;1;;\n"
    assert read(tmp_path, text, columns=columns) == [
        ExportRow(DAY, "gpt-4o", 1, 10, 5, 0.25),
        ExportRow(date(2026, 11, 3), "gpt-4o", None, 1, 1, None),
    ]


@pytest.mark.parametrize(
    ("text", "columns", "said"),
    [
        ("a,b\n1,2\n", None, "columns a, b"),
        ("a,b\n1,2\n", {"date": "day", "cost": "b"}, "no column 'day'; it has a, b"),
        ("d,c\nyesterday,2\n", {"date": "d", "cost": "c"}, "line 2: d is 'yesterday'"),
        ("d,c\n2026-11-02T10:00:00,2\n", {"date": "d", "cost": "c"}, "without a time zone"),
        ("d,c\n2026-11-02,much\n", {"date": "d", "cost": "c"}, "line 2: c is 'much'"),
        ('d,c\n2026-11-02,"1,23"\n', {"date": "d", "cost": "c"}, "write it as 1234.56"),
        ("d,c\n2026-11-02,nan\n", {"date": "d", "cost": "c"}, "no number"),
        ("d,n\n2026-11-02,1.5\n", {"date": "d", "calls": "n"}, "no count"),
        ("d,n\n2026-11-02,-1\n", {"date": "d", "calls": "n"}, "no count"),
        ("d,c\n2026-11-02,1,2\n", {"date": "d", "cost": "c"}, "line 2: the row has another number"),
        ("", None, "it has the columns none"),
        (OPENAI_COST_CSV.replace("usd", "eur"), None, "'eur'"),
        (OPENAI_USAGE_CSV.replace(str(END), str(END + 86400 * 29)), None, "30 days"),
        ("{", None, "is not JSON"),
        ("[]", None, "holds no rows"),
    ],
)
def test_what_cannot_be_read_is_named(
    text: str, columns: dict[str, str] | None, said: str, tmp_path: Path
) -> None:
    with pytest.raises(DatasetError) as raised:
        read(tmp_path, text, columns=columns)
    assert said in str(raised.value)
    assert "export.csv" in str(raised.value)
    assert str(tmp_path) not in str(raised.value)


def test_files_that_do_not_belong_together(tmp_path: Path) -> None:
    first, again, other = tmp_path / "a.csv", tmp_path / "b.csv", tmp_path / "c.csv"
    first.write_text(OPENAI_COST_CSV, encoding="utf-8")
    again.write_text(OPENAI_COST_CSV, encoding="utf-8")
    other.write_text(ANTHROPIC_COST_CSV, encoding="utf-8")
    with pytest.raises(UsageError, match="the same export"):
        read_exports([first, again])
    with pytest.raises(UsageError, match="anthropic, openai"):
        read_exports([first, other])
    with pytest.raises(DatasetError, match=r"c\.csv is an export of anthropic"):
        read_exports([other], "openai")
    with pytest.raises(DatasetError, match=r"nowhere\.csv"):
        read_exports([tmp_path / "nowhere.csv"])


@pytest.mark.parametrize(
    ("vendor", "columns", "said"),
    [
        ("azure", None, "azure"),
        ("generic", None, "needs columns"),
        (None, {"date": "d", "modell": "m"}, "'modell'"),
        (None, {"model": "m"}, "lacks 'date'"),
        (None, {"date": "d", "model": "m"}, "nothing to compare"),
    ],
)
def test_what_cannot_be_meant(vendor: str | None, columns: dict[str, str] | None, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        read_exports([], vendor, columns)
