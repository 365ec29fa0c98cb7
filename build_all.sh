#!/usr/bin/env bash
# Set up what is missing, verify the pages, build both languages into site/.
# ./build_all.sh --serve [--port N] also serves the site on loopback.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"

case "${1:-}" in
  "" | --serve) ;;
  *)
    echo "usage: ./build_all.sh [--serve [--port N]]" >&2
    exit 2
    ;;
esac

source ./setup_env.sh
python -m docs._tools check
python -m docs._tools verify
python -m docs._tools build

if [ "${1:-}" = --serve ]; then
  shift
  exec 9>&- # a site that is served does not keep others from building
  exec python -m docs._tools serve "$@"
fi
