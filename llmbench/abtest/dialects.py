"""The one definition in DuckDB's dialect, translated for the other databases by sqlglot."""

from __future__ import annotations

from typing import Any

from llmbench.errors import ConfigError, UsageError

__all__ = ["DIALECTS", "translate"]

DIALECTS = ("duckdb", "postgres", "spark", "bigquery", "snowflake", "trino")

# {0} is the time, {1} the zone as a quoted text.
_MICROS = {
    "postgres": "CAST(FLOOR(EXTRACT(EPOCH FROM {0}) * 1000000) AS BIGINT)",
    "spark": "UNIX_MICROS(CAST({0} AS TIMESTAMP))",
    "bigquery": "UNIX_MICROS({0})",
    "snowflake": "DATE_PART(EPOCH_MICROSECOND, {0})",
    "trino": "CAST(ROUND(TO_UNIXTIME({0}) * 1000000) AS BIGINT)",
}
_ZONED = {
    "postgres": "({0} AT TIME ZONE {1})",
    "spark": "TO_UTC_TIMESTAMP(CAST({0} AS TIMESTAMP), {1})",
    "bigquery": "TIMESTAMP({0}, {1})",
    "snowflake": "CONVERT_TIMEZONE({1}, 'UTC', {0})",
    "trino": "WITH_TIMEZONE({0}, {1})",
}
# A time without zone: what BigQuery calls DATETIME.
_NAIVE = {
    "bigquery": "DATETIME",
    "snowflake": "TIMESTAMP_NTZ",
    "spark": "TIMESTAMP_NTZ",
    "trino": "TIMESTAMP(6)",  # else milliseconds
}


def translate(sql: str, dialect: str) -> str:
    """`sql` of DuckDB's dialect in another. Raises ConfigError without sqlglot, UsageError for a dialect
    that is not known.

    >>> translate("SELECT epoch_us(t) AS us FROM x", "trino")
    'SELECT CAST(ROUND(TO_UNIXTIME(t) * 1000000) AS BIGINT) AS us FROM x'
    """
    if dialect == "duckdb":
        return sql
    if dialect not in DIALECTS:
        raise UsageError(f"There is no translation to {dialect!r}; there is one to {', '.join(DIALECTS)}.")
    try:
        import sqlglot
    except ImportError as error:
        raise ConfigError("Reading from a warehouse needs sqlglot: pip install 'llmbench[warehouse]'.") from error
    tree = sqlglot.parse_one(sql, read="duckdb")
    return tree.transform(_node, dialect).sql(dialect=dialect)


def _node(node: Any, dialect: str) -> Any:
    import sqlglot
    from sqlglot import exp

    if isinstance(node, exp.Anonymous) and node.name.lower() in {"epoch_us", "timezone"}:
        templates = _MICROS if node.name.lower() == "epoch_us" else _ZONED
        inside = [each.transform(_node, dialect).sql(dialect=dialect) for each in node.expressions]
        if node.name.lower() == "timezone":
            inside.reverse()  # DuckDB has the zone first
        return sqlglot.parse_one(templates[dialect].format(*inside), read=dialect)
    if isinstance(node, exp.Cast):
        kind = node.to.this
        if kind == exp.DataType.Type.TIMESTAMP and dialect in _NAIVE:
            return sqlglot.parse_one(
                f"CAST({node.this.sql(dialect=dialect)} AS {_NAIVE[dialect]})", read=dialect
            )
        if kind == exp.DataType.Type.TEXT and dialect == "postgres":
            # Least and greatest by code point, as everywhere else, whatever the database's language.
            return exp.Paren(this=exp.Collate(this=node.copy(), expression=exp.to_identifier("C", quoted=True)))
    return node
