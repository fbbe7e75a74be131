#!/bin/bash
# Makes the two roles that may log in beside the superuser, and the database: titan10 owns the archive and nothing else,
# grafana reads the archive and nothing else. Runs when the volume is made. Run again, it sets the passwords anew and
# mends what is missing:
#
#   docker compose exec timescaledb bash /docker-entrypoint-initdb.d/10_roles.sh
set -euo pipefail

export SECRETS_DIR=${SECRETS_DIR:-/run/secrets}
for name in database_password grafana_database_password; do
  if [[ ! -s $SECRETS_DIR/$name ]]; then
    echo "Cannot make the roles: $SECRETS_DIR/$name is not there or empty. deploy/README.md says how it is made" >&2
    exit 1
  fi
done

# psql reads the passwords itself, because other users can see a command's arguments.
psql --quiet --no-psqlrc --set=ON_ERROR_STOP=1 --username="$POSTGRES_USER" --dbname=postgres <<'SQL'
\set titan10_password `cat "$SECRETS_DIR/database_password"`
\set grafana_password `cat "$SECRETS_DIR/grafana_database_password"`

select format('create role %I', name) from (values ('titan10'), ('grafana')) as wanted (name)
where name not in (select rolname from pg_roles) \gexec
alter role titan10 login nosuperuser nocreatedb nocreaterole noreplication nobypassrls password :'titan10_password';
alter role grafana login nosuperuser nocreatedb nocreaterole noreplication nobypassrls password :'grafana_password'
  connection limit 10;
-- Grafana could change these two for a session: what it may do is decided by the grants below.
alter role grafana set default_transaction_read_only = on;
alter role grafana set statement_timeout = '30s';

select 'create database titan10 owner titan10' where not exists (select from pg_database where datname = 'titan10') \gexec
-- Temporary tables, too, are nothing for a role that reads.
revoke all on database titan10, postgres, template1 from public;
grant connect on database titan10 to grafana;
SQL

psql --quiet --no-psqlrc --set=ON_ERROR_STOP=1 --username="$POSTGRES_USER" --dbname=titan10 <<'SQL'
-- By the superuser, so that titan10 need not be able to. Titan-10 works without it as well.
select 'create extension if not exists timescaledb' from pg_available_extensions where name = 'timescaledb' \gexec

-- The archive is in the schema public.
revoke create on schema public from public;
grant create on schema public to titan10;
grant select on all tables in schema public to grafana;
-- Titan-10 makes its tables later, and more of them with each timeframe.
alter default privileges for role titan10 in schema public grant select on tables to grafana;

-- What every role may do otherwise, though it may write to no table: schedule jobs, fill the disk with large objects, and
-- hold the locks that a migration waits for.
select format('revoke execute on function %s from public', oid::regprocedure),
       format('grant execute on function %s to titan10', oid::regprocedure)
from pg_proc where proname ~ '^(add_job|lo_(creat|create|from_bytea|put)|lowrite|pg_(try_)?advisory_\w+)$' \gexec
SQL
