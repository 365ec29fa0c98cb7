#!/usr/bin/env bash
# Set up what is missing, run every test and every notebook, build the site and test it.
# Arguments go to pytest for the tests that need no site, such as: ./test_all.sh -k numeric
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"

source ./setup_env.sh
command -v chromium-browser google-chrome >/dev/null || need_command chromium chromium fonts-noto-cjk

ruff check -q .
ruff format -q --check .
python -m docs._tools check
pytest -q -n 2 --dist loadfile -m "not browser" "$@"
python -m docs._tools build
pytest -q -m browser tests/site
