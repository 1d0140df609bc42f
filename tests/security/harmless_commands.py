"""Command lines that only read, as developers and models write them."""

from __future__ import annotations

LINES = tuple(
    line
    for line in r"""
ls
ls -la
ls -lah
ls -1
ls -R src
ls -lt | head
ls -lt | head -5
ls -la src tests
ls src/*.py
ls tests/unit
ls -d */
ls *.md
ls -a .
ls -l pyproject.toml
ls --color=never
ls -lS | head -n 20
ls docs 2>/dev/null
ls -la && git status
ls; pwd
pwd
pwd && ls -la
cat README.md
cat src/app.py
cat src/app.py | head
cat src/app.py | head -50
cat -n src/app.py
cat -n src/app.py | sed -n '10,40p'
cat pyproject.toml | grep version
cat src/app.py tests/test_app.py
cat "docs/my notes.md"
cat .gitignore
cat src/app.py | wc -l
cat package.json | jq .
cat package.json | jq '.scripts'
cat docs/*.md | head -100
head -20 src/app.py
head -n 50 src/app.py
head -c 200 data.csv
head src/*.py
tail -20 src/app.py
tail -n 50 app.log
tail -n +10 src/app.py
tail -n +10 src/app.py | head -5
tail -c 100 app.log
wc -l src/app.py
wc -l src/*.py
wc -w README.md
wc -c data.csv
wc -l src/*.py | sort -n
wc -l src/*.py | tail -1
nl src/app.py
nl -ba src/app.py | sed -n '1,20p'
file data.csv
file src/*
stat src/app.py
du -sh .
du -sh src
du -h -d 1
du -sh * | sort -h
df -h
tree
tree -L 2
tree -L 2 src
tree -a -I node_modules
tree -d
grep foo src/app.py
grep -n foo src/app.py
grep -rn foo src
grep -rn "def main" src
grep -rn "def main" --include='*.py' .
grep -rn --include=*.py foo .
grep -ri todo src tests
grep -rl foo src
grep -rlE 'import (os|sys)' src
grep -c foo src/app.py
grep -v '^#' pyproject.toml
grep -v '^#' pyproject.toml | grep -v '^$'
grep -A 3 -B 3 foo src/app.py
grep -A3 main src/app.py
grep -rnA 5 'class App' src
grep -rn "foo\.bar" src
grep -rn 'foo(' src
grep -rn "TODO\|FIXME" src
grep -E '^(def|class) ' src/app.py
grep -oE '[0-9]+\.[0-9]+' README.md
grep -w main src/app.py
grep -q foo src/app.py && echo yes
grep -rn foo src | head
grep -rn foo src | head -20
grep -rn foo src | wc -l
grep -rn foo src 2>/dev/null
grep -rn foo src 2>/dev/null | head -20
grep -rn foo . --exclude-dir=node_modules
grep -rn foo . --exclude-dir=.git --exclude-dir=node_modules | head
grep -rn '/api/v1' src
grep -n "^import" src/app.py | sort | uniq
grep -n '[[:space:]]$' src/app.py
grep -Pn '\bfoo\b' src/app.py
grep -e foo -e bar src/app.py
grep -rn "user's" src
rg foo
rg foo src
rg -n foo src
rg -i todo
rg -l foo src
rg -c foo
rg -A 3 foo src
rg -C2 foo src/app.py
rg -t py foo
rg -tpy 'def main'
rg --type py foo
rg -g '*.py' foo
rg -g '!tests' foo
rg --glob '*.py' 'class \w+'
rg 'def \w+\(' src
rg -w main
rg -F 'foo(' src
rg --files
rg --files | head
rg --files src | wc -l
rg --files -g '*.md'
rg -n "TODO|FIXME" src | head -40
rg -o '[0-9]+' README.md
rg -e foo -e bar src
rg --hidden foo
rg -uu foo src
rg -U 'foo\nbar' src
rg --no-heading -n foo src
rg -S Foo
rg -m 5 foo src
rg --json foo src | head -3
rg foo src tests docs
rg foo src || echo none
find .
find . -name '*.py'
find . -name "*.py"
find . -name '*.py' | head
find . -name '*.py' | wc -l
find . -name '*.py' | sort
find src -type f
find src -type f -name '*.py'
find . -type d -name tests
find . -maxdepth 2 -type d
find . -maxdepth 1 -type f
find . -iname '*readme*'
find . -path ./node_modules -prune -o -name '*.js' -print
find . -not -path './.git/*' -type f
find . -type f -not -path '*/node_modules/*' | head -50
find . -type f ! -name '*.pyc'
find . \( -name '*.py' -o -name '*.md' \) -type f
find . -name '*.py' -newer README.md
find . -mtime -1 -type f
find . -size +1M
find . -empty
find . -name '*.py' -not -name 'test_*'
find . -name conftest.py 2>/dev/null
find . -type f -printf '%s %p\n' | sort -n
find src tests -name '*.py' -type f
fd
fd app
fd -e py
fd -e py . src
fd -t f app src
sed -n '1,5p' src/app.py
sed -n 1,5p src/app.py
sed -n '10,20p;30,40p' src/app.py
sed -n '/def main/,/return/p' src/app.py
sed -n '$p' src/app.py
sed -n '5p' src/app.py
sed 's/foo/bar/g' src/app.py
sed 's/foo/bar/g' src/app.py | head
sed -E 's/[0-9]+/N/g' data.csv | head
sed -n '100,$p' src/app.py
sed '/^#/d' pyproject.toml
sed '1d' data.csv | wc -l
awk '{print $1}' data.csv
awk -F, '{print $2}' data.csv
awk -F, '{print $1, $3}' data.csv | head
awk 'NR==10' src/app.py
awk 'NR>=10 && NR<=20' src/app.py
awk '/def /{print NR": "$0}' src/app.py
awk -F: '{s+=$2} END{print s}' data.csv
awk 'length($0) == 80' src/app.py
sort data.csv
sort -u data.csv
sort -k2 -n data.csv
sort -t, -k2,2n data.csv | head
sort -t , -k 2 data.csv
sort data.csv | uniq -c | sort -rn
sort data.csv | uniq -c | sort -rn | head -10
sort -rn data.csv | head
uniq data.csv
uniq -c data.csv
cut -d, -f1 data.csv
cut -d, -f1 data.csv | sort -u
cut -d ',' -f 1,2 data.csv
cut -c1-80 src/app.py
tr 'a-z' 'A-Z' < /dev/null
cat data.csv | tr ',' '\t'
cat data.csv | tr -d '"' | head
column -t -s, data.csv
paste -d, data.csv data.csv
comm data.csv data.csv
diff src/app.py src/other.py
diff -u src/app.py src/other.py
diff -r src tests
diff -rq src tests
diff -u src/app.py src/other.py | head -40
cmp src/app.py src/other.py
md5sum data.csv
sha256sum data.csv
xxd data.csv | head
xxd -l 64 data.csv
hexdump -C data.csv | head -5
od -c data.csv | head
strings data.csv | head
rev data.csv
tac app.log | head
fold -w 80 README.md
basename src/app.py
dirname src/app.py
realpath src/app.py
readlink -f src
jq . package.json
jq '.dependencies' package.json
jq -r '.name' package.json
jq -r '.scripts | keys[]' package.json
jq '.dependencies | length' package.json
jq -c '.[]' package.json
git status
git status -s
git status --short
git status --porcelain
git status -sb
git status && git diff
git diff
git diff --stat
git diff HEAD
git diff HEAD~1
git diff HEAD~3..HEAD
git diff main...HEAD
git diff --cached
git diff --staged
git diff --name-only
git diff --name-only main
git diff HEAD -- src/app.py
git diff src/app.py
git diff -U10 src/app.py
git diff --word-diff
git diff --no-color | head -100
git diff main..feature --stat
git log
git log --oneline
git log --oneline -5
git log --oneline -n 10
git log --oneline --graph --all
git log --oneline --graph --decorate -20
git log -5 --stat
git log -p -1
git log -p src/app.py
git log --follow src/app.py
git log --since='2 weeks ago' --oneline
git log --author=me --oneline | head
git log --format='%h %s' -10
git log --pretty=format:'%h %an %s' -5
git log -S foo --oneline
git log -S'foo bar' --oneline
git log --grep=fix --oneline
git log main..HEAD --oneline
git log --oneline -- src/app.py
git log -1
git log -L 1,10:src/app.py
git log --diff-filter=A --name-only
git log --all --oneline | wc -l
git show
git show HEAD
git show HEAD~1
git show HEAD:src/app.py
git show HEAD --stat
git show --name-only HEAD
git show abc123
git show abc123:src/app.py | head -20
git show stash@{0}
git branch
git branch -a
git branch -vv
git branch --show-current
git branch -r
git branch --list 'feature/*'
git remote -v
git remote
git tag
git tag --list
git tag -l
git blame src/app.py
git blame -L 10,20 src/app.py
git rev-parse HEAD
git rev-parse --short HEAD
git rev-parse --abbrev-ref HEAD
git rev-parse --show-toplevel
git ls-files
git ls-files | head
git ls-files '*.py'
git ls-files src | wc -l
git ls-tree -r HEAD --name-only
git stash list
git describe --tags
git shortlog -sn
git shortlog -s -n HEAD
git reflog
git reflog -10
git grep foo
git grep -n foo
git grep -n 'def main' -- '*.py'
git merge-base main HEAD
git rev-list --count HEAD
git config --get user.name
git config --list
git worktree list
git cat-file -p HEAD
git for-each-ref --sort=-committerdate
git --no-pager log --oneline -5
git --no-pager diff
git --version
python --version
python3 --version
node --version
npm --version
which python
which git node
command -v node
echo hello
echo "--- files ---"
echo "--- files ---"; ls; echo "--- git ---"; git status -s
date
date +%Y-%m-%d
whoami
id
uname -a
nproc
free -m
ps aux | head
env | sort
test -f src/app.py && echo yes
true
sleep 1
cd src && ls
cd src && grep -n foo app.py | head
cd . && git log --oneline -3
ls src && cat src/app.py | head -20 && git log --oneline -3
""".splitlines()
    if line
)
