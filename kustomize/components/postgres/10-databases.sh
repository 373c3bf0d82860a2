#!/bin/sh
# Gives every service its database and its role, with the password that its Secret holds.
#
# PostgreSQL's image runs this once, on an empty volume. It can be run again at any time: it then creates what is
# missing and sets the passwords anew, so it also serves to add a service and to rotate a password.
# One folder per service, named like its role and database, holding the file `password`.
set -eu

for folder in "${BANYAN_DATABASES:-/etc/banyan/databases}"/*/; do
  service=$(basename "$folder")
  if ! [ -s "${folder}password" ]; then
    echo "no password for $service in ${folder}password" >&2
    exit 1
  fi
  # The password travels through psql's own variables, so no command line and no process list shows it.
  BANYAN_PASSWORD_FILE="${folder}password" psql --no-psqlrc --quiet --tuples-only --set ON_ERROR_STOP=1 \
    --set service="$service" --username "${POSTGRES_USER:-postgres}" --dbname postgres <<'SQL'
\set password `cat "$BANYAN_PASSWORD_FILE"`

SELECT format('CREATE ROLE %I', :'service')
  WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = :'service') \gexec
ALTER ROLE :"service" LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION NOBYPASSRLS PASSWORD :'password';
SELECT format('CREATE DATABASE %I OWNER %I', :'service', :'service')
  WHERE NOT EXISTS (SELECT FROM pg_database WHERE datname = :'service') \gexec

-- A role reaches its own database and no other one, the server's own included.
REVOKE ALL ON DATABASE :"service" FROM PUBLIC;
REVOKE ALL ON DATABASE postgres, template1 FROM PUBLIC;
SQL
  echo "database $service is ready"
done
