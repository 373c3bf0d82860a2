#!/bin/sh
# Creates the Secrets that Banyan's manifests name, with random values, in one namespace.
#
#   create-secrets.sh NAMESPACE
#
# A Secret that exists is left alone, so this can be run again. It needs the right to create Secrets, not to read them.
# GATEWAY_DATABASE_URL, RESERVATION_DATABASE_URL, ANALYTICS_DATABASE_URL and LEGACY_DATABASE_URL name databases that are
# there already (a managed PostgreSQL); without them the addresses are those of the component `postgres`.
set -eu

namespace=${1:?usage: create-secrets.sh NAMESPACE}

random() { # 32 bytes as 64 hexadecimal digits, which a URL holds without escapes
  od -An -N32 -tx1 /dev/urandom | tr -d ' \n'
}

create() { # create NAME KEY VALUE [KEY VALUE]; the values go through standard input, never through a command line
  name=$1
  shift
  if answer=$({
    printf 'apiVersion: v1\nkind: Secret\ntype: Opaque\nmetadata:\n  name: %s\n' "$name"
    printf '  labels:\n    app.kubernetes.io/part-of: banyan\nstringData:\n'
    printf "  %s: '%s'\n" "$@"
  } | kubectl --namespace "$namespace" create --validate=false --filename - 2>&1); then
    echo "created Secret $name"
  else
    case $answer in
    *AlreadyExists* | *"already exists"*) echo "kept Secret $name" ;;
    *)
      echo "Secret $name: $answer" >&2
      return 1
      ;;
    esac
  fi
}

database() { # database SERVICE [URL]
  password=$(random)
  create "$1-database" password "$password" url "${2:-postgres://$1:$password@postgres:5432/$1}"
}

create postgres-superuser password "$(random)"
create banyan-ops token "$(random)"
create gateway-steering force-token "$(random)" pin-key "$(random)"
database gateway "${GATEWAY_DATABASE_URL:-}"
database reservation "${RESERVATION_DATABASE_URL:-}"
database analytics "${ANALYTICS_DATABASE_URL:-}"
database legacy "${LEGACY_DATABASE_URL:-}"
