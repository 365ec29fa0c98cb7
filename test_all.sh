#!/usr/bin/env bash
# Set up what is missing, run every test and every notebook, build the site and test it.
# Arguments go to pytest for all but the pages, such as: ./test_all.sh -k numeric
# ./test_all.sh --trainers runs only the tests of the adapters, each in an environment with its
# trainer, which it sets up. They are part of the whole run too.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"

source ./setup_env.sh
if [ "${1:-}" = --trainers ]; then
  shift
  exec pytest -q -n 2 --dist worksteal tests/trainers tests/adapters "$@"
fi
# The code rewards have two levels of isolation. Without bubblewrap the tests try one.
if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
  need_command bwrap bubblewrap
elif ! command -v bwrap >/dev/null; then
  echo "note: without bubblewrap its tests are skipped (Debian: sudo apt-get install bubblewrap)"
fi
# libatomic1 is what the driver of the browser needs beside the browser.
command -v chromium-browser google-chrome >/dev/null || need_command chromium chromium fonts-noto-cjk libatomic1

ruff check -q .
ruff format -q --check .
python -m docs._tools check
pytest -q -n 2 --dist loadfile docs
python -m docs._tools build
# The slow files first, so that none of them is left to run alone at the end.
pytest -q -n 3 --dist loadfile --no-loadscope-reorder tests/guide tests/site tests reference_impl "$@"
