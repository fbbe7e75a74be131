#!/bin/bash
# Run once, when the database is created: a role for Grafana that reads and does nothing else.
set -euo pipefail

psql --set=ON_ERROR_STOP=1 --username "$POSTGRES_USER" --dbname "$POSTGRES_DB" \
  --set=password="$(cat /run/secrets/grafana_database_password)" <<'SQL'
create role grafana login password :'password' connection limit 10;
grant pg_read_all_data to grafana;
alter role grafana set default_transaction_read_only = on;
alter role grafana set statement_timeout = '30s';
SQL
