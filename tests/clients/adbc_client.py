"""ADBC, the driver of Arrow, pandas and polars: it reads the whole catalog of types at connect, takes every
result in binary, and lists objects at all depths."""

import os
from decimal import Decimal

import adbc_driver_postgresql.dbapi as adbc
import pyarrow

url = "postgresql://{PGUSER}:{PGPASSWORD}@{PGHOST}:{PGPORT}/{PGDATABASE}".format(**os.environ)
with adbc.connect(url) as connection:
    with connection.cursor() as cursor:
        cursor.execute("select id, timestamp, score from signals order by id")
        rows = cursor.fetch_arrow_table()
        assert rows.num_rows == 60, rows.num_rows
        types = [str(field.type) for field in rows.schema][:2]
        assert types == ["string", "timestamp[us, tz=UTC]"], types
        cursor.execute("select price from token_prices where price > 0 order by price, timestamp limit 1")
        price = Decimal(cursor.fetchone()[0])
        assert price > 0 and price.as_tuple().exponent == -18, price
        cursor.execute("select $1::text, $2::int8, interval '90 minutes'", ("it's \\ here", 5))
        assert cursor.fetchone()[:2] == ("it's \\ here", 5)
        try:
            cursor.adbc_ingest("mine", pyarrow.table({"a": [1]}), mode="create")
        except adbc.Error as error:
            assert "CREATE TABLE is not allowed" in str(error), error
        else:
            raise AssertionError("a table was made")
    connection.rollback()
    (catalog,) = connection.adbc_get_objects(depth="all").read_all().to_pylist()
    tables = {
        table["table_name"]: [column["column_name"] for column in table["table_columns"]]
        for schema in catalog["catalog_db_schemas"]
        for table in schema["db_schema_tables"]
    }
    assert tables["token_prices"] == ["token_address", "timestamp", "price", "volume_24h"], tables
    assert str(connection.adbc_get_table_schema("signals").field("timestamp").type) == "timestamp[us, tz=UTC]"
    with connection.cursor() as cursor:
        cursor.execute("select count(*) from signals")
        assert cursor.fetchone() == (60,)
