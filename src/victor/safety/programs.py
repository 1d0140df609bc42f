"""What is known of programs: how they only read, and which of their options do more than that.

`reads` lists the options with which a program is known to read at most; an option that is not
listed is not trusted. `risks` lists those by which it writes, deletes or starts something else,
which is more than its name says; a rule such as `find *` does not mean them.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum

from victor.safety.bash_tree import words

NO_WORD = re.compile(r"(?!)")
"""Matches nothing."""


class Operands(Enum):
    """What the arguments that are no options are."""

    PATHS = "paths"
    TEXT = "text"
    """Words that name no file."""
    NONE = "none"
    """There must be none."""
    ONE_PATH = "one path"
    """A second one would be written to."""
    PATTERN = "pattern"
    """The first is a pattern, the others are paths."""
    SCRIPT = "script"
    """The first is a script, the others are paths."""


@dataclass(frozen=True, slots=True)
class Program:
    """What is known of one program."""

    reads: re.Pattern[str] | None = None
    """Options with which it only reads; None where it does not, or is not known to."""
    operands: Operands = Operands.PATHS
    signs: str = "-"
    """What its options begin with."""
    values: frozenset[str] = frozenset()
    """Options whose next word is a value of theirs and no path."""
    pattern_given: re.Pattern[str] = NO_WORD
    """Options that give the pattern, so that all operands are paths."""
    script: re.Pattern[str] = NO_WORD
    """What a script must be so that it only reads."""
    risks: re.Pattern[str] = NO_WORD
    """Options and operands by which it does more than its name says."""


def _re(expression: str) -> re.Pattern[str]:
    return re.compile(expression, re.DOTALL)


_LETTERS = _re(r"-[A-Za-z0-9]+")
_LONG = r"--(?:lines|bytes|words|number|unified|brief|human-readable|all|color|colour)(?:=\w+)?"
_FILTER = Program(_re(rf"-[A-Za-z0-9]+|{_LONG}"))
_TEXT = Program(_LETTERS, Operands.TEXT)
_ALONE = Program(_LETTERS, Operands.NONE)
_GREP_LONG = (
    r"--(?:include|exclude|exclude-dir|glob|iglob|type|type-not|max-count|context|after-context"
    r"|before-context|color|colour|max-depth|sort|regexp)=.*"
    r"|--(?:count|line-number|ignore-case|files-with-matches|files-without-match|fixed-strings"
    r"|word-regexp|hidden|no-ignore|files|multiline|no-heading|heading|invert-match|only-matching"
    r"|extended-regexp|perl-regexp|recursive|no-messages|with-filename|no-filename|smart-case"
    r"|stats|json|type-list|case-sensitive|null|vimgrep|pcre2)"
)
_GREP_VALUES = words(
    "-A -B -C -e -g -m -t -T --glob --iglob --type --type-not --max-count --include --exclude"
    " --exclude-dir --context --after-context --before-context --regexp --max-depth --sort -d -D"
)
_SED_STEP = (
    r"(?:(?:\d+|\$|/(?:[^/\\\n]|\\[^\n])*/)(?:,(?:\+?\d+|\$|/(?:[^/\\\n]|\\[^\n])*/))?)?!?"
    r"(?:[pd=]|q|s/(?:[^/\\\n]|\\[^\n])*/(?:[^/\\\n]|\\[^\n])*/[gpI0-9]*"
    r"|s\|(?:[^|\\\n]|\\[^\n])*\|(?:[^|\\\n]|\\[^\n])*\|[gpI0-9]*)"
)
_FIND_VALUES = words(
    "-name -iname -path -ipath -type -maxdepth -mindepth -mtime -mmin -atime -amin -ctime -cmin"
    " -newer -size -regex -iregex -wholename -perm -user -group -printf -links -xtype -regextype"
)

PROGRAMS: Mapping[str, Program] = {
    **dict.fromkeys(
        words(
            "cat cmp comm fold hexdump nl od readlink realpath rev stat strings tac wc cksum"
            " md5sum sha1sum sha256sum sha512sum expand"
        ),
        _FILTER,
    ),
    **dict.fromkeys(words("basename dirname seq which tr expr ps"), _TEXT),
    **dict.fromkeys(words("column paste"), Program(_re(r"-[a-z]+.?"))),
    "echo": Program(_re(r".*"), Operands.TEXT),
    **dict.fromkeys(
        words("arch df free groups id nproc pwd uname uptime whoami lscpu locale"), _ALONE
    ),
    **dict.fromkeys(words("true false :"), _TEXT),
    "cd": Program(NO_WORD),
    "cut": Program(
        _re(r"-[A-Za-z0-9].*|--(?:delimiter|fields|characters)=.*"), values=words("-d -f -c -b")
    ),
    "date": Program(
        _re(r"-[uRI]+|\+.*|--(?:iso-8601|utc|rfc-3339)(?:=\w+)?"),
        Operands.NONE,
        "-+",
        risks=_re(r"-\w*s.*|--set.*"),
    ),
    "diff": Program(
        _re(
            r"-[A-Za-km-z0-9]+|--(?:unified|brief|recursive|color|ignore-all-space"
            r"|side-by-side|stat)(?:=\w+)?"
        ),
        risks=_re(r"-[A-Za-z0-9]*l.*|--pag.*"),
    ),
    "du": Program(
        _re(r"-[A-Za-z0-9]+|--(?:max-depth|human-readable|summarize|exclude)(?:=[^/]*)?"),
        values=words("-d --max-depth"),
    ),
    "file": Program(
        _re(r"-[bhiLkprs0]+|--(?:brief|mime|mime-type)"), risks=_re(r"-\w*C.*|--compile")
    ),
    "fd": Program(
        _re(r"-[HIEedtgFpas0-9]+|--(?:type|extension|glob|hidden|max-depth)(?:=\w+)?"),
        Operands.PATTERN,
        values=words("-e -t -d -E --type --extension --max-depth"),
        risks=_re(r"-\w*[xXl].*|--exec.*|--batch.*"),
    ),
    "find": Program(
        _re(
            r"-(?:name|iname|path|ipath|type|maxdepth|mindepth|mtime|mmin|atime|amin|ctime|cmin"
            r"|newer|size|regex|iregex|wholename|perm|user|group|print|print0|printf|not|o|a|or|and"
            r"|empty|prune|ls|readable|writable|executable|links|xtype|regextype|mount|xdev|depth"
            r"|true|false|quit|nouser|nogroup|daystart)|[()!]"
        ),
        signs="-()!",
        values=_FIND_VALUES,
        risks=_re(r"-(?:exec|execdir|ok|okdir|delete|fprint|fprint0|fprintf|fls|files0-from).*"),
    ),
    "grep": Program(
        _re(rf"-[A-QS-Za-eg-z0-9]+|{_GREP_LONG}"),
        Operands.PATTERN,
        values=_GREP_VALUES,
        pattern_given=_re(r"-[A-Za-z]*e.*|--regexp.*"),
    ),
    "jq": Program(
        _re(
            r"-[rcsnejSaM]+|--(?:raw-output|compact-output|slurp|null-input|tab"
            r"|exit-status|sort-keys|color-output)"
        ),
        Operands.SCRIPT,
        script=_re(r"(?!.*(?:import|include)).*"),
        risks=_re(r"-\w*[fL].*|--from-file.*|--library-path.*"),
    ),
    "ls": Program(
        _re(
            r"-[A-Za-z0-9]+|--(?:all|almost-all|human-readable|recursive|sort|time|color"
            r"|full-time|group-directories-first|classify)(?:=\w+)?"
        )
    ),
    "hostname": _ALONE,
    "printenv": Program(NO_WORD, Operands.TEXT),
    "rg": Program(
        _re(rf"-[A-KM-Za-eg-y0-9]+|{_GREP_LONG}"),
        Operands.PATTERN,
        values=_GREP_VALUES,
        pattern_given=_re(r"-[A-Za-z]*e.*|--regexp.*|--files|--type-list"),
        risks=_re(r"--pre.*|--hostname-bin.*|-[A-Za-z]*z.*|--search-zip|--search-z"),
    ),
    "sed": Program(
        _re(r"-[nErsuz]+|--(?:quiet|silent|regexp-extended|posix|sandbox)"),
        Operands.SCRIPT,
        script=_re(rf"{_SED_STEP}(?:\s*;\s*{_SED_STEP})*;?"),
        risks=_re(
            r"-[A-Za-z]*[ief].*|--(?:i|e|f).*|(?:.*[;{}!0-9$/|,\s])?[ewWrR](?:\s.*)?"
            r"|.*s(?P<mark>[^\w\s]).*(?P=mark).*(?P=mark)\w*[ew].*"
        ),
    ),
    "awk": Program(
        _re(r"-F.+|-F|-v"),
        Operands.SCRIPT,
        values=words("-F -v"),
        script=_re(r"(?!.*(?:system|getline|[|@]|>(?!=)|ARG)).*"),
        risks=_re(r".*(?:system|getline|[|@]|>(?!=)).*|-[A-Za-z]*[fiElpodD].*|--.+"),
    ),
    "sleep": Program(NO_WORD, Operands.TEXT),
    "sort": Program(
        _re(
            r"-(?:[bdfgiMhnRrVsuzc]+|k[\d.,bdfgiMhnRrV]+|t.)|-[kt]"
            r"|--(?:unique|reverse|numeric-sort|version-sort|human-numeric-sort|stable)"
            r"|--key=[\d.,\w]+"
        ),
        values=words("-k -t"),
        risks=_re(r"-[A-Za-z]*[oTS].*|--(?:o|c|temp|f|bu).*"),
    ),
    "tail": Program(_re(r"-[cnqvz]?\+?\d*|--(?:lines|bytes)=\+?\d+"), values=words("-n -c")),
    "head": Program(_re(r"-[cnqvz]?-?\d*|--(?:lines|bytes)=-?\d+"), values=words("-n -c")),
    "test": Program(_re(r"-[abcdefghkprsuwxzLnoSt]|-(?:eq|ne|gt|ge|lt|le)"), risks=_re(r"-[vR]")),
    "tree": Program(
        _re(r"-[adfLIPhDsugpCn]+|--(?:dirsfirst|gitignore|noreport|prune|du)"),
        values=words("-L -I -P"),
        risks=_re(r"-\w*[oR].*|--output.*"),
    ),
    "uniq": Program(
        _re(r"-[A-Za-z0-9]+|--(?:count|repeated|unique)"),
        Operands.ONE_PATH,
        values=words("-f -s -w"),
    ),
    "xxd": Program(
        _re(r"-[lsgcbpu]+\d*"),
        Operands.ONE_PATH,
        values=words("-l -s -g -c"),
        risks=_re(r"-\w*r.*"),
    ),
    # What follows only starts or changes things; of these the risks alone are known.
    "curl": Program(
        risks=_re(
            r"-[A-Za-z#]*[oOKTcD].*|--(?:o|rem|conf|up|cook|dump|data|form|n).*"
            r"|-[A-Za-z]*[dFxU].*|@.*|file:.*"
        )
    ),
    "cargo": Program(
        risks=_re(r"run|r|install|publish|login|owner|yank|\+.*|--config.*|--manifest.*|-[ZC].*")
    ),
    "docker": Program(risks=_re(r"run|exec|cp|-v|--volume.*|--privileged|build|compose")),
    **dict.fromkeys(words("ed emacs screen tmux"), Program(risks=_re(r".*"))),
    "gh": Program(risks=_re(r"api|alias|extension|auth|codespace|secret|delete")),
    "go": Program(
        risks=_re(
            r"run|generate|tool|install|get|env|bug|work|--?(?:exec|toolexec|vettool|overlay|modfile"
            r"|modcacherw|o|C|ldflags|gcflags|asmflags|gccgoflags|compiler|pkgdir|cpuprofile"
            r"|memprofile|trace|outputdir|fuzzcachedir)(?:=.*)?"
        )
    ),
    "less": Program(risks=_re(r"-[A-Za-z]*[oOkT].*|--.+|\+.*")),
    "make": Program(risks=_re(r".*=.*|-[A-Za-z]*[fCIE].*|--(?:f|m|d|i|e).*")),
    "man": Program(risks=_re(r"-[A-Za-z]*[PHl].*|--(?:p|h|b|l).*")),
    "more": Program(risks=_re(r"\+.*")),
    "npm": Program(
        risks=_re(
            r"exec|x|explore|edit|config|set|--prefix.*|-C|--script-shell.*"
            r"|--node-options.*|publish"
        )
    ),
    "openssl": Program(risks=_re(r"-(?:out|engine|provider.*|config)|engine")),
    "pip": Program(
        risks=_re(r"install|download|wheel|config|--.*(?:index|target|prefix|python).*")
    ),
    "printf": Program(risks=_re(r"-v.*|.*%[-+ #0-9.*]*n.*")),
    "pytest": Program(
        risks=_re(
            r"-[qvxslhV]*[pcoW].*|--(?:ro|conf|py|pd|deb|ba|ju|ov|im|pas|cov-c|log-f|rep|tra|use).*"
        )
    ),
    "rsync": Program(risks=_re(r"-[A-Za-z]*e.*|--(?:rsh|rsync-path|del|rem).*|.+:.*")),
    "scp": Program(risks=_re(r"-[oSF].*|.+:.*")),
    "split": Program(risks=_re(r"--f.*")),
    "ssh": Program(risks=_re(r"-[A-Za-z0-9]*[oFIEDRLwJ].*|.*")),
    "tar": Program(
        risks=_re(
            r"-?[A-Za-z]*[IFxcruAPC][A-Za-z]*.*|--(?:to|us|ch|rmt|rsh|info|new-v|ext|get"
            r"|cre|app|upd|del|rem|dir|abs|one|index|vol|pre).*|.*:.*"
        )
    ),
    "tcpdump": Program(risks=_re(r"-\w*[zwFVr].*")),
    "tee": Program(risks=_re(r".*")),
    "vim": Program(risks=_re(r"[-+].+")),
    "wget": Program(risks=_re(r"-[A-Za-z]*[OPoaeiUx].*|--(?:o|e|us|post|body|in|dir|app|pass).*")),
    "zip": Program(risks=_re(r"-[A-Za-z]*[TmdI].*|--(?:u|m|t).*")),
}
"""By name. What is not here is not harmless, and its options are not known."""

ANY = _re(r".*")
SHOW_MORE: Mapping[str, re.Pattern[str]] = {
    **dict.fromkeys(words("rg ag ack tar zip rsync"), ANY),
    "grep": _re(r"-[A-Za-z]*[rRdD].*|--(?:r|dir|deref).*"),
    "diff": _re(r"-[A-Za-z]*r.*|--r.*"),
    "find": _re(r"-(?:exec|ok).*|-fprint.*"),
    "fd": _re(r"-\w*[xX].*|--exec.*"),
    "cp": _re(r"-[A-Za-z]*[rRa].*|--(?:r|arch).*"),
}
"""Options with which programs show what is in files that they do not name; or they always do."""

ALIASES: Mapping[str, str] = {
    "egrep": "grep", "fgrep": "grep", "gawk": "awk", "mawk": "awk", "nawk": "awk", "fdfind": "fd",
    "gsed": "sed", "vi": "vim", "nvim": "vim", "view": "vim", "ex": "vim", "pip3": "pip",
    "pnpm": "npm", "yarn": "npm", "gmake": "make", "podman": "docker", "bsdtar": "tar",
    "gtar": "tar", "py.test": "pytest",
}  # fmt: skip
"""Other names of programs."""

INTERPRETERS = re.compile(
    r"(?:python|pypy|perl|ruby|node|nodejs|deno|bun|php|lua|luajit|tclsh|Rscript|osascript|ghci|irb"
    r"|groovy|scala|guile|expect|gdb|lldb|sqlite3|psql|mysql)[\d.]*"
)
"""Programs that run what is written on their command line or in a file."""

PYTHON_RISKS = _re(r"-(?![BuOsSEIqWVX]+$)\w*[cEipmnSx].*|-")
INTERPRETER_RISKS = _re(
    r"-\w*[bcdeEfiIlmMnprSx].*|--(?:eval|print|exec|require|import|env-file|run).*|-|eval"
)
"""Their options that take a program's text from the line, or let it load another."""

DATABASES = _re(r"(?:sqlite3|psql|mysql)[\d.]*")
ACTIONS = _re(r"run|eval|repl|test|bench|compile|task|serve|install|x|exec")
"""Words of deno and bun that stand before a program and its options."""

SHELLS = re.compile(r"(?:ba|da|z|k|c|tc|fi|a|mk|rba)?sh|busybox|pwsh")
WRAPPERS = words(
    """
    chroot chrt doas entr env flock ionice nice nohup nsenter parallel proot pkexec
    runuser script setarch setpriv setsid ssh-agent stdbuf strace ltrace su sudo systemd-run
    taskset time timeout unshare unbuffer uv uvx npx bunx pipx watch xargs xvfb-run bwrap
    """
)
"""Programs that start the one named in their arguments."""

TELL_VERSION = words(
    """
    bash cargo clang cmake curl docker g++ gcc gh git go java javac make mypy node npm pip pip3
    pnpm podman poetry pytest python python3 rg ruby ruff rustc rustup tsc uv yarn
    """
)
"""Programs that may be asked for their version with `--version` alone."""
