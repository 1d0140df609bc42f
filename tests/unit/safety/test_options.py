"""Rules that end in a star, and the options that they do not mean."""

from __future__ import annotations

from pathlib import Path

import pytest

from victor.messages import Effect, ToolCall
from victor.permissions import Rules
from victor.protocols import Access, CallReview
from victor.safety.commands import CommandAnalyst


def covered(rule: str, line: str) -> bool:
    """Return whether the rule lets the command run unasked."""
    call = ToolCall("1", "shell", {"command": line})
    review = CallReview(call, Effect.EFFECTFUL, access=Access(command=line))
    facts = CommandAnalyst(Path("/nowhere"))(line)
    return bool(Rules.of({"allow": (f"shell({rule})",)}).allowing(review, facts, reading=False))


@pytest.mark.parametrize(
    "line",
    """
    go test -exec ./evil ./...
    go test --exec=./evil ./...
    go build -toolexec ./evil
    go vet -vettool=./evil
    go run ./evil
    go generate ./...
    cargo --config 'build.rustc-wrapper="./evil"' check
    cargo +evil check
    cargo run
    mypy --python-executable ./evil src
    mypy --python-executable=./evil src
    python -m mypy --python-executable ./evil src
    node --loader ./evil.mjs app.js
    node --experimental-loader=./evil.mjs app.js
    node --require ./evil.js app.js
    node -r ./evil.js app.js
    node --import data:text/javascript,evil app.js
    node --env-file=evil app.js
    node --run evil
    perl -E evil
    perl -Ievil app.pl
    ruby -revil app.rb
    php -d auto_prepend_file=evil app.php
    sqlite3 app.db '.shell evil'
    split --filter=evil data.csv
    pytest -p evil
    pytest -qpevil
    pytest -xvcevil.ini
    pytest --rootd evil
    python -m pytest -qpevil
    python3.11 -mpytest -p evil
    python -Im pytest --override-ini=x=y
    python -W ignore -c evil
    python -m pip install evil
    jest --globalSetup ./evil.js
    eslint --format=./evil.js .
    eslint --resolve-plugins-relative-to evil .
    prettier --plugin evil .
    gcc -fplugin=evil.so a.c
    gcc -wrapper ./evil a.c
    rustc -Clinker=./evil a.rs
    cmake -DCMAKE_C_COMPILER_LAUNCHER=./evil .
    mvn -Dexec.executable=./evil verify
    java -javaagent:evil.jar App
    gradle --init-script evil build
    hg --config alias.log=!evil log
    svn --diff-cmd evil diff
    poetry run evil
    dotnet exec evil.dll
    tcpdump -z evil
    tmux new evil
    emacs -l evil
    tool --hook=evil
    tool --on-exit-command evil
    tool --theme=./evil.so
    """.strip().splitlines(),
)
def test_what_starts_something_else_is_not_meant_by_a_star(line: str) -> None:
    program = line.split(maxsplit=1)[0]
    assert not covered(f"{program} *", line.strip())


@pytest.mark.parametrize(
    "line",
    """
    go test ./... -run TestX -v -count=1 -race
    go build ./...
    cargo test --release --all-features -- --nocapture
    cargo clippy -- -D warnings
    mypy --strict src
    python -m mypy --strict src
    node app.js --require x
    node --test
    split -l 10 data.csv
    pytest -xvs -k name tests/unit
    pytest -q --deselect x --durations=3 -rA
    python -m pytest -x -q tests
    python app.py -c x --config y
    python -u app.py
    gcc -O2 -Wall -o app a.c
    tsc --noEmit -p tsconfig.json
    eslint --fix --ext .ts src
    ruff check src --fix
    black -q src
    npm run build
    make -j4 test
    docker ps
    terraform plan
    tool --theme=dark --verbose -x
    """.strip().splitlines(),
)
def test_what_people_mean_by_a_star_is_covered(line: str) -> None:
    program = line.split(maxsplit=1)[0]
    assert covered(f"{program} *", line.strip())


def test_a_rule_that_names_the_word_means_it() -> None:
    assert covered("go run *", "go run ./tool")
    assert covered("poetry run *", "poetry run pytest")
    assert covered("mypy --config-file *", "mypy --config-file mypy.ini src")
    assert not covered("mypy --config-file *", "mypy --config-file mypy.ini --python-executable y")
