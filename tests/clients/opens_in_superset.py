"""Opens a table and a chart in Apache Superset, against a server that is running.

    opens_in_superset.py postgresql+psycopg2://user:password@host:port/hindsight HOME

HOME is where Superset keeps its own state; it is made at the first run and used again. What
Superset does for people who click is asked through its own REST interface.
"""

import json
import logging
import os
import subprocess
import sys
import warnings
from pathlib import Path

warnings.simplefilter("ignore")
uri, home = sys.argv[1], Path(sys.argv[2])
home.mkdir(parents=True, exist_ok=True)
configuration = home / "superset_config.py"
configuration.write_text(
    "SECRET_KEY = 'used for tests alone, on this machine'\n"
    f"SQLALCHEMY_DATABASE_URI = 'sqlite:///{home}/superset.db'\n"
    "WTF_CSRF_ENABLED = False\n"
    "TALISMAN_ENABLED = False\n"
    "RATELIMIT_ENABLED = False\n"
)
os.environ["SUPERSET_CONFIG_PATH"] = str(configuration)
os.environ["SUPERSET_HOME"] = str(home)
os.environ["FLASK_APP"] = "superset"
USER = ["--username", "admin", "--password", "admin", "--email", "admin@localhost"]


def superset(*arguments):
    command = [str(Path(sys.executable).with_name("superset")), *arguments]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        sys.exit(f"superset {arguments[0]} failed:\n{done.stderr[-2000:]}")


if not (home / "ready").exists():
    superset("db", "upgrade")
    superset("init")
    superset("fab", "create-admin", "--firstname", "a", "--lastname", "b", *USER)
    (home / "ready").touch()

from superset.app import create_app  # noqa: E402  (it reads the configuration)

logging.disable(logging.WARNING)
client = create_app().test_client()
login = {"username": "admin", "password": "admin", "provider": "db", "refresh": False}
token = client.post("/api/v1/security/login", json=login).get_json()["access_token"]
headers = {"Authorization": f"Bearer {token}"}


def call(method, path, body=None):
    answer = client.open(path, method=method, json=body, headers=headers)
    if answer.status_code >= 300:
        sys.exit(f"{method} {path}: {answer.status_code} {answer.get_data(as_text=True)[:2000]}")
    return answer.get_json()


def expect(what, found, wanted):
    if found != wanted:
        sys.exit(f"{what}: found {found!r}, expected {wanted!r}")
    print(f"   {what}")


# Left over from a run that was stopped.
for kind in ("chart", "dataset", "database"):
    for left in call("GET", f"/api/v1/{kind}/")["result"]:
        call("DELETE", f"/api/v1/{kind}/{left['id']}")

database = {"database_name": "hindsight", "sqlalchemy_uri": uri}
call("POST", "/api/v1/database/test_connection/", database)
database = call("POST", "/api/v1/database/", database | {"expose_in_sqllab": True})["id"]
schemas = call("GET", f"/api/v1/database/{database}/schemas/")["result"]
expect("the schema public is listed", "public" in schemas, True)
tables = call("GET", f"/api/v1/database/{database}/tables/?q=(schema_name:public)")["result"]
expect("the table signals is listed", "signals" in [t["value"] for t in tables], True)

dataset = {"database": database, "schema": "public", "table_name": "signals"}
dataset = call("POST", "/api/v1/dataset/", dataset)["id"]
columns = call("GET", f"/api/v1/dataset/{dataset}")["result"]["columns"]
types = {column["column_name"]: (column["type_generic"], column["is_dttm"]) for column in columns}
expect("timestamp is a time", types["timestamp"][1], True)
expect("score is a number", types["score"][0], 0)
expect("id is text", types["id"][0], 1)


def data(query):
    context = {
        "datasource": {"id": dataset, "type": "table"},
        "queries": [query],
        "result_format": "json",
        "result_type": "full",
        "force": True,
    }
    return call("POST", "/api/v1/chart/data", context)["result"][0], context


count = {"expressionType": "SQL", "sqlExpression": "count(*)", "label": "signals"}
best = {
    "expressionType": "SIMPLE",
    "column": {"column_name": "score"},
    "aggregate": "MAX",
    "label": "best",
}
rows, _ = data({"columns": ["id", "timestamp", "score"], "metrics": [], "row_limit": 5})
expect("a table of five signals", rows["rowcount"], 5)
by_day, context = data(
    {
        "columns": [
            {
                "timeGrain": "P1D",
                "columnType": "BASE_AXIS",
                "sqlExpression": "timestamp",
                "label": "timestamp",
                "expressionType": "SQL",
            }
        ],
        "metrics": [count, best],
        "granularity": "timestamp",
        "time_range": "No filter",
        "orderby": [[count, False]],
        "row_limit": 1000,
    }
)
expect("a chart by day has days", by_day["rowcount"] > 0, True)
total, _ = data({"columns": [], "metrics": [count]})
days = sum(row["signals"] for row in by_day["data"])
expect("its days add up to all signals", days, total["data"][0]["signals"])

chart = {
    "slice_name": "signals by day",
    "viz_type": "echarts_timeseries_line",
    "datasource_id": dataset,
    "datasource_type": "table",
    "params": json.dumps({"viz_type": "echarts_timeseries_line", "x_axis": "timestamp"}),
    "query_context": json.dumps(context),
}
chart = call("POST", "/api/v1/chart/", chart)["id"]
again = call("GET", f"/api/v1/chart/{chart}/data/")["result"][0]["rowcount"]
expect("the saved chart opens", again, by_day["rowcount"])

sql = "select simulated_total_trades from backtest(stop_loss_percent => [8, 12])"
statement = {"database_id": database, "sql": sql, "schema": "public", "runAsync": False}
answer = call("POST", "/api/v1/sqllab/execute/", statement)
expect("a sweep in SQL Lab", len(answer["data"]), 2)
