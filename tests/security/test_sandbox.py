"""What a confined process cannot do, in every kind of sandbox that there is on Linux."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from victor.errors import SandboxError
from victor.guarded import secrets
from victor.protocols import Confinement, Launch, Network, SandboxPolicy
from victor.safety.boundaries import boundaries
from victor.safety.bubblewrap import Bubblewrap, find_program
from victor.safety.landlock import Landlock
from victor.safety.sandbox import Kind, Sandbox, kinds, policy_of, sandbox_of

pytestmark = [
    pytest.mark.anyio,
    pytest.mark.slow,
    pytest.mark.skipif(sys.platform != "linux", reason="not on this platform"),
]

KINDS: Mapping[str, Kind] = {
    "bubblewrap": Bubblewrap(find_program()),
    "bubblewrap_without_proc": Bubblewrap(find_program(), proc=False),
    "landlock": Landlock(),
}


class Ground:
    """A workspace with a repository in it, a home with secrets, and one sandbox around both."""

    def __init__(self, folder: Path, kind: Kind) -> None:
        self.home, self.workspace = folder / "home", folder / "home" / "project"
        self.sandbox = Sandbox((kind,), home=self.home, folder=folder / "held")
        self.kind = kind
        for path, text in {
            ".ssh/id_ed25519": "SECRET",
            ".netrc": "SECRET",
            ".aws/credentials": "SECRET",
            ".config/gcloud/credentials.db": "SECRET",
            ".bashrc": "as it was",
            "notes.txt": "as it was",
            "project/src/main.py": "print()",
            "project/.git/HEAD": "ref: refs/heads/main\n",
            "project/.git/config": "as it was",
            "project/.git/hooks/pre-commit.sample": "as it was",
            "project/.git/objects/info/x": "",
            "project/.vscode/settings.json": "as it was",
            "project/vendor/lib/.git/HEAD": "ref: refs/heads/main\n",
            "project/vendor/lib/.git/config": "as it was",
            "project/vendor/lib/code.c": "",
        }.items():
            file = self.home / path
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text)

    def policy(self, **more: object) -> SandboxPolicy:
        return SandboxPolicy(writable=(self.workspace,), **more)  # type: ignore[arg-type]

    async def run(
        self, command: str, policy: SandboxPolicy | None = None, **environment: str
    ) -> tuple[int, str]:
        launch = Launch(
            ("/bin/bash", "-c", command),
            self.workspace,
            {"PATH": os.environ["PATH"], "HOME": str(self.home), **environment},
        )
        policy = policy or self.policy()
        limits = boundaries(policy, self.home, secrets(self.home, ()))
        async with self.sandbox.confined(self.kind, launch, limits, policy) as start:
            process = await asyncio.create_subprocess_exec(
                *start.argv,
                cwd=start.folder,
                env=start.environment,
                pass_fds=start.pass_fds,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.STDOUT,
                start_new_session=True,
            )
            said, _ = await process.communicate()
        assert process.returncode is not None
        return process.returncode, said.decode()

    def files(self) -> dict[str, str]:
        """Everything below the home folder but for what a build may write."""
        return {
            path.relative_to(self.home).as_posix(): path.read_text() if path.is_file() else "/"
            for path in sorted(self.home.rglob("*"))
            if "scratch" not in path.parts
        }


@pytest.fixture(params=list(KINDS))
def ground(request: pytest.FixtureRequest) -> Ground:
    # Not below /tmp, in whose place a sandbox may put another folder.
    folder = Path("/var/tmp") / f"victor-test-{os.getpid()}-{os.urandom(4).hex()}"
    folder.mkdir()
    request.addfinalizer(lambda: _removed(folder))  # noqa: PT021
    kind = KINDS[request.param]
    if reason := kind.missing():
        pytest.skip(f"no {kind.name}: {reason}; install bubblewrap, or use a newer kernel")
    return Ground(folder, kind)


def _removed(folder: Path) -> None:
    import shutil

    shutil.rmtree(folder)


async def test_it_is_chosen_by_having_been_tried(ground: Ground) -> None:
    found = await ground.sandbox.confinement()
    assert (found.name, found.confines) == (ground.kind.name, True), found.reason
    assert found.limits


async def test_work_goes_on_inside(ground: Ground) -> None:
    code, said = await ground.run(
        "set -e; echo 1 > src/new.py; mkdir src/pkg; mv src/new.py src/pkg/; cat src/pkg/new.py;"
        " echo 2 > $TMPDIR/x; cat $TMPDIR/x; echo 3 > vendor/lib/code.c; rm -r src/pkg;"
        " (sleep 0 & wait); echo done > /dev/null; python3 -c 'print(4)'"
    )
    assert (code, said.split()) == (0, ["1", "2", "4"])
    assert (ground.workspace / "vendor/lib/code.c").read_text() == "3\n"


async def test_the_temporary_folder_lasts_from_one_command_to_the_next(ground: Ground) -> None:
    await ground.run("echo kept > $TMPDIR/a")
    assert await ground.run("cat $TMPDIR/a") == (0, "kept\n")


WRITES = (
    "echo x > ../notes.txt",
    "echo x > ../new.txt",
    "echo x >> ../.bashrc",
    "rm ../notes.txt",
    "mv ../notes.txt ../moved.txt",
    "ln -sf ../../notes.txt src/scratch-link && echo x > src/scratch-link; rm -f src/scratch-link",
    "ln ../notes.txt src/scratch-link && echo x > src/scratch-link",
    "truncate -s 0 ../notes.txt",
    "chmod 777 ../notes.txt; test $(stat -c %a ../notes.txt) = 777 && echo x > ../notes.txt",
    "touch /etc/victor-was-here",
    "touch /var/tmp/victor-was-here",
    "touch /usr/bin/victor-was-here",
    "cp /bin/true ~/.local/bin/git",
    "echo x > /proc/sys/kernel/domainname",
    "cd /proc/self/root/$HOME && echo x > notes.txt",
    "cd /proc/1/root/$HOME && echo x > notes.txt",
    'python3 -c \'import os; d = os.open("..", os.O_PATH); os.open("n", os.O_CREAT, dir_fd=d)\'',
    "mkdir ../project2",
    "rmdir ../.aws; rm -r ../.aws",
    "dd if=/dev/zero of=../notes.txt count=1",
)


@pytest.mark.parametrize("command", WRITES)
async def test_nothing_outside_of_the_workspace_changes(ground: Ground, command: str) -> None:
    before = ground.files()
    await ground.run(f"exec 2>/dev/null; {command}; exit 0")
    assert ground.files() == before
    for place in ("/etc", "/var/tmp", "/usr/bin"):
        assert not Path(place, "victor-was-here").exists()


PROTECTED = (
    "echo x > .git/hooks/pre-commit",
    "echo x > .git/config",
    "echo x >> .git/config",
    "rm -f .git/config",
    "rm -rf .git/hooks",
    "mv .git/hooks .git/hooks2 && mkdir .git/hooks && touch .git/hooks/pre-commit",
    "mv .git .git2 && mkdir -p .git/hooks",
    "mv .git .git2",
    "echo x > scratch; mv -f scratch .git/config; rm -f scratch",
    "ln -f src/main.py .git/hooks/pre-commit",
    "ln -sf ../../src/main.py .git/hooks/pre-commit",
    "ln -sfn ../src .git/hooks",
    "ln .git/config src/scratch && echo x > src/scratch; rm -f src/scratch",
    "ln -s ../.git/config src/scratch; echo x > src/scratch; rm -f src/scratch",
    "echo ../evil > .git/commondir",
    "echo ../evil > .git/scratch; mv -f .git/scratch .git/commondir; rm -f .git/scratch",
    "rm -f .git/commondir",
    "ln -sf ../evil .git/commondir",
    "mkdir .git/commondir",
    "echo x > .vscode/settings.json",
    "echo x > .vscode/tasks.json",
    "rm -rf .vscode",
    "mv .vscode src/scratch; mkdir .vscode",
    "mkdir .idea",
    "mkdir -p .idea/runConfigurations",
    "echo x > .mcp.json",
    "rmdir .mcp.json; echo x > .mcp.json",
    "mkdir scratch; touch scratch/a; mv -T scratch .mcp.json; rm -rf scratch",
    "echo x > src/scratch; mv src/scratch .mcp.json; rm -f src/scratch",
    "echo x > src/scratch; ln src/scratch .mcp.json; rm -f src/scratch",
    "ln -s src .mcp.json",
    "ln -s src .victor",
    "mkdir .victor; echo x > .victor/config.toml",
    "echo x > .envrc",
    "echo x > .bashrc",
    "echo x > .zshenv",
    "echo x > .gitconfig",
    "mkdir .claude; echo x > .claude/settings.json",
    "mkdir .cursor; echo x > .cursor/mcp.json",
    "mkfifo .mcp.json",
    "mknod .mcp.json p",
    "echo x > vendor/lib/.git/config",
    "mkdir vendor/lib/.git/hooks; echo x > vendor/lib/.git/hooks/post-checkout",
    "echo ../../../evil > vendor/lib/.git/commondir",
    "mv vendor/lib vendor/scratch; mkdir -p vendor/lib/.git; echo x > vendor/lib/.git/config",
    "mv vendor scratch; mkdir -p vendor/lib/.git; echo x > vendor/lib/.git/config",
    "chmod -R 777 .git/hooks && echo x > .git/hooks/pre-push",
    "cd .git/hooks && echo x > post-merge",
    "exec 3<.git/config; echo x > /proc/self/fd/3",
    "python3 -c 'import os; os.open(\"/proc/self/cwd/.git/config\", os.O_RDWR | os.O_TRUNC)'",
    "find . -name config -exec sh -c 'echo x > $0' {} \\;",
    "git config core.fsmonitor evil",
    "git -c core.hooksPath=x config core.pager evil",
    "mount --bind src .git/hooks && echo x > .git/hooks/x",
    "umount .git/hooks; umount -l .git/config; echo x > .git/config",
    "unshare -Urm sh -c 'umount .git/config; echo x > .git/config'",
)


@pytest.mark.parametrize("command", PROTECTED)
async def test_what_other_programs_run_later_stays_as_it_is(ground: Ground, command: str) -> None:
    before = ground.files()
    await ground.run(f"exec 2>/dev/null; {command}; exit 0")
    after = ground.files()
    assert after == before


async def test_a_linked_name_is_protected_with_what_it_leads_to(ground: Ground) -> None:
    (ground.workspace / "src/editor").mkdir()
    (ground.workspace / ".idea").symlink_to("src/editor")
    before = ground.files()
    await ground.run(
        "exec 2>/dev/null; touch src/editor/x; rm .idea; ln -sfn src .idea; mv .idea idea;"
        " mv src/editor src/other; mv src scratch; mkdir .idea"
    )
    assert ground.files() == before
    assert (ground.workspace / ".idea").is_symlink()


async def test_hooks_that_a_configuration_names_are_protected(ground: Ground) -> None:
    (ground.workspace / ".githooks").mkdir()
    (ground.workspace / ".git/config").write_text("[core]\n\thooksPath = .githooks\n")
    before = ground.files()
    await ground.run("exec 2>/dev/null; echo x > .githooks/pre-commit; mv .githooks scratch")
    assert ground.files() == before


async def test_a_further_configuration_that_git_would_read_is_protected(ground: Ground) -> None:
    config = ground.workspace / ".git/config"
    config.write_text("[extensions]\n\tworktreeConfig = true\n")
    before = ground.files()
    await ground.run("exec 2>/dev/null; echo x > .git/config.worktree; rm .git/config.worktree")
    assert ground.files() == before


async def test_no_repository_comes_into_being_at_the_top(ground: Ground) -> None:
    import shutil

    shutil.rmtree(ground.workspace / ".git")
    before = ground.files()
    await ground.run("exec 2>/dev/null; git init .; mkdir .git; echo gitdir: src > .git")
    assert ground.files() == before


async def test_a_worktree_and_its_repository_are_protected(ground: Ground) -> None:
    real = ground.workspace / "src/real"
    (ground.workspace / ".git").rename(real)
    (ground.workspace / ".git").write_text("gitdir: src/real\n")
    before = ground.files()
    await ground.run(
        "exec 2>/dev/null; echo gitdir: x > .git; echo x > src/real/config; rm .git;"
        " echo x > src/real/hooks/y; echo z > src/real/commondir; mv src/real src/scratch"
    )
    assert ground.files() == before


SECRETS = (
    "cat ~/.ssh/id_ed25519",
    "cat ~/.netrc",
    "cat ~/.aws/*",
    "cat ~/.config/gcloud/*",
    "tar c ~/.ssh | cat",
    "cat /proc/self/root$HOME/.netrc",
    "cat /proc/1/root$HOME/.netrc",
    "ln -s ~/.netrc src/scratch; cat src/scratch; rm src/scratch",
    "ln ~/.netrc src/scratch; cat src/scratch; rm -f src/scratch",
    "cp -r ~/.ssh src/scratch; cat src/scratch/*; rm -rf src/scratch",
    "grep -rs SECRET ~",
    'python3 -c \'import os; print(os.read(os.open(os.environ["HOME"] + "/.netrc", 0), 9))\'',
)


@pytest.mark.parametrize("command", SECRETS)
async def test_secrets_cannot_be_read(ground: Ground, command: str) -> None:
    _, said = await ground.run(f"{command} 2>/dev/null")
    assert "SECRET" not in said


@pytest.mark.parametrize(("family", "here"), [("AF_INET", "127.0.0.1"), ("AF_INET6", "::1")])
async def test_nothing_outside_hears_of_it(ground: Ground, family: str, here: str) -> None:
    with socket.socket(getattr(socket, family)) as listening:
        try:
            listening.bind((here, 0))
        except OSError:
            pytest.skip("not on this platform: it has no such address")
        listening.listen()
        listening.settimeout(0)
        port = listening.getsockname()[1]
        program = (
            f"import socket as s; c = s.socket(s.{family}); c.settimeout(2);"
            f" c.connect(('{here}', {port})); print('connected')"
        )
        _, said = await ground.run(
            f'exec 2>&1; python3 -c "{program}"; (: > /dev/tcp/{here}/{port})'
        )
        assert "connected" not in said
        with pytest.raises(BlockingIOError):
            listening.accept()


@pytest.mark.parametrize("name", ["path", "abstract"])
async def test_local_sockets_of_other_programs_are_out_of_reach(ground: Ground, name: str) -> None:
    path = "/run/victor-test.sock" if os.access("/run", os.W_OK) else "/tmp/victor-test.sock"
    address = f"\0victor-test-{os.getpid()}" if name == "abstract" else path
    with socket.socket(socket.AF_UNIX) as listening:
        Path(path).unlink(missing_ok=True)
        listening.bind(address)
        listening.listen()
        try:
            program = f"import socket as s; s.socket(s.AF_UNIX).connect({address!r}); print('ok')"
            (ground.workspace / "src/try.py").write_text(program)
            _, said = await ground.run("python3 src/try.py 2>&1")
        finally:
            Path(path).unlink(missing_ok=True)
    assert "ok" not in said.split()


ESCAPES = (
    "kill -0 {pid}",
    "cat /proc/{pid}/environ",
    "ls /proc/{pid}/root/",
    "python3 -c 'import ctypes, sys; sys.exit(ctypes.CDLL(None).ptrace(16, {pid}, 0, 0) != 0)'",
    "python3 -c 'import ctypes, sys; sys.exit(ctypes.CDLL(None).unshare(0x10000000) != 0)'",
    "python3 -c 'import ctypes, sys; sys.exit(ctypes.CDLL(None).umount2(b\"/proc\", 2) != 0)'",
    "python3 -c 'import ctypes, sys; sys.exit(ctypes.CDLL(None).syscall(425, 1, 0) < 0)'",
    "python3 -c 'import ctypes, sys; sys.exit(ctypes.CDLL(None).chroot(b\"/\") != 0)'",
    "unshare -U true",
    "mount -t tmpfs x /mnt",
    "dmesg",
    "python3 -c 'import socket; socket.socket(40, 1)'",
)
"""The last: vsock, which knows no network namespaces."""


@pytest.mark.parametrize("command", ESCAPES)
async def test_other_processes_and_the_kernel_are_out_of_reach(
    ground: Ground, command: str
) -> None:
    code, _ = await ground.run(command.replace("{pid}", str(os.getpid())))
    assert code != 0


async def test_a_mode_that_only_reads_leaves_no_place_to_write(ground: Ground) -> None:
    before = ground.files()
    await ground.run(
        "exec 2>/dev/null; echo x > src/main.py; touch src/y; rm -r src; mv src z; > .git/index",
        SandboxPolicy(),
    )
    assert ground.files() == before


async def test_further_paths_can_be_protected_and_hidden(ground: Ground) -> None:
    policy = ground.policy(
        protected=(ground.workspace / "src", ground.workspace / "new/file"),
        hidden=(ground.home / "notes.txt", ground.workspace / "vendor"),
    )
    before = ground.files()
    _, said = await ground.run(
        "exec 2>/dev/null; echo x > src/main.py; mkdir new; echo y > new/file;"
        " cat ../notes.txt vendor/lib/.git/config",
        policy,
    )
    assert said == ""
    assert ground.files() == before


async def test_places_that_were_held_are_gone_afterwards(ground: Ground) -> None:
    before = set(ground.workspace.iterdir())
    await asyncio.gather(*[ground.run("sleep 0.05; touch src/a") for _ in range(4)])
    assert set(ground.workspace.iterdir()) == before
    assert not (ground.workspace / ".git/commondir").exists()


async def test_git_works_with_the_places_held(ground: Ground) -> None:
    if ground.kind.name == "landlock":
        assert ".git" in ground.kind.limits
        return
    import shutil
    import subprocess

    shutil.rmtree(ground.workspace / ".git")
    subprocess.run(["git", "init", "-q", "."], cwd=ground.workspace, check=True)
    code, said = await ground.run(
        "export GIT_CONFIG_GLOBAL=/dev/null; git add src && git -c user.name=A -c user.email=a@b"
        " commit -qm one && git checkout -qb topic && git stash list && git gc -q"
        " && git status --porcelain src"
    )
    assert (code, said) == (0, "")


async def test_it_all_ends_with_whoever_started_it(ground: Ground) -> None:
    program = Path(__file__).with_name("started_and_killed.py")
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        str(program),
        ground.kind.name,
        str(ground.workspace),
        stdout=asyncio.subprocess.PIPE,
    )
    assert process.stdout is not None
    assert await process.stdout.readline() == b"started\n"
    marker = ground.workspace / "src/alive"
    assert marker.exists()
    os.kill(process.pid, signal.SIGKILL)
    await process.wait()
    # The end of the pipe that all of them hold: nobody is left.
    assert await asyncio.wait_for(process.stdout.read(), 5) == b""


def test_a_program_of_the_workspace_is_never_the_sandbox(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "bwrap").write_text("#!/bin/sh\nexit 0")
    (tmp_path / "bwrap").chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr("victor.safety.bubblewrap.PLACES", ())
    tmp_path.chmod(0o777)
    assert find_program() is None
    assert find_program(tmp_path) is None


async def test_without_any_sandbox_the_reason_is_told() -> None:
    sandbox = Sandbox((Bubblewrap(None),))
    found = await sandbox.confinement()
    assert not found.confines
    assert not found.waived
    assert "bwrap is not installed" in found.reason
    launch = Launch(("true",), Path("/"), {})
    async with sandbox.confine(launch, SandboxPolicy(network=Network.ALL)) as start:
        assert start is launch


async def test_the_setting_decides_what_is_tried() -> None:
    from victor.errors import ConfigError

    assert [kind.name for kind in kinds("landlock")] == ["landlock"]
    assert await sandbox_of("none").confinement() == Confinement(
        "none", confines=False, reason="the setting sandbox is none", waived=True
    )
    with pytest.raises(ConfigError, match="sandbox must be one of auto"):
        kinds("docker")


async def test_a_sandbox_that_does_not_hold_is_not_chosen() -> None:
    class Sieve:
        name, limits, host_lists, own_loopback = "sieve", "", True, False

        def missing(self) -> str:
            return ""

        def places(self, limits: object) -> tuple[Path, ...]:
            return ()

        def start(self, launch: Launch, *others: object) -> Launch:
            return launch

    found = await Sandbox((Sieve(),)).confinement()
    assert not found.confines
    for told in ("a forbidden write succeeded", "a protected name", "a hidden file", "connection"):
        assert told in found.reason


async def test_a_list_of_hosts_is_reached_through_the_proxy_and_by_no_other_way(
    ground: Ground,
) -> None:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nheard")
        await writer.drain()
        writer.close()

    program = (
        "import os, socket, urllib.request as r\n"
        "def try_(work):\n"
        "    try:\n"
        "        print(work())\n"
        "    except OSError as error:\n"
        "        print('refused')\n"
        "try_(lambda: r.urlopen(os.environ['WANTED'], timeout=5).read().decode())\n"
        "try_(lambda: r.urlopen('http://127.0.0.2:1/', timeout=5).read().decode())\n"
        "try_(lambda: r.build_opener(r.ProxyHandler({})).open(os.environ['WANTED'], timeout=5))\n"
    )
    (ground.workspace / "src/try.py").write_text(program)
    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        policy = ground.policy(network=Network.HOSTS, hosts=(f"127.0.0.1:{port}",))
        wanted = f"http://127.0.0.1:{port}/"
        _, said = await ground.run("python3 src/try.py 2>&1", policy, WANTED=wanted)
    heard = "heard" if ground.kind.host_lists else "refused"
    assert said.split() == [heard, "refused", "refused"]


async def test_with_all_of_the_network_everything_is_reached(ground: Ground) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = listening.getsockname()[1]
        program = f"import socket; socket.create_connection(('127.0.0.1', {port}), 5); print('ok')"
        policy = ground.policy(network=Network.ALL)
        assert await ground.run(f'python3 -c "{program}"', policy) == (0, "ok\n")


def test_the_setting_of_hosts_makes_the_policy() -> None:
    assert policy_of(()) == SandboxPolicy()
    assert policy_of(("pypi.org",)) == SandboxPolicy(network=Network.HOSTS, hosts=("pypi.org",))
    assert policy_of(("pypi.org", "*")) == SandboxPolicy(network=Network.ALL)


async def test_a_folder_below_the_temporary_one_is_seen_also_where_nothing_may_change(
    ground: Ground, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("seen\n")
    ground.workspace = tmp_path
    assert await ground.run("cat file; touch other", SandboxPolicy()) != (0, "")
    _, said = await ground.run("cat file", SandboxPolicy())
    assert said == "seen\n"
    assert not (tmp_path / "other").exists()


async def test_the_sandbox_itself_gets_nothing_that_changes_what_it_loads(ground: Ground) -> None:
    policy = ground.policy()
    launch = Launch(
        ("env",), ground.workspace, {"LD_LIBRARY_PATH": ".", "A": "b c", "PATH": "/bin"}
    )
    limits = boundaries(policy, ground.home, ())
    async with ground.sandbox.confined(ground.kind, launch, limits, policy) as start:
        assert dict(start.environment) == {}
    _, said = await ground.run("echo $A $LD_LIBRARY_PATH", A="b c", LD_LIBRARY_PATH="src")
    assert said == "b c src\n"


async def test_a_home_folder_that_is_the_workspace_keeps_its_secrets(ground: Ground) -> None:
    ground.workspace = ground.home
    before = ground.files()
    _, said = await ground.run(
        "exec 2>/dev/null; cat .ssh/* .netrc .aws/*; mkdir .gnupg .kube; echo x > .ssh/config;"
        " echo x >> .bashrc; echo x > .zshrc; mkdir -p .config/fish .config/autostart .local/bin;"
        " mv .ssh ssh; mv .config config; rm -rf .ssh .netrc; echo x > project/.git/config;"
        " mv project/.git project/git; echo x > .profile; mkdir .vscode"
    )
    assert "SECRET" not in said
    assert ground.files() == before


async def test_a_policy_is_brought_down_to_the_files_when_a_command_is_confined(
    ground: Ground, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("VICTOR_HOME", str(ground.home / "victor"))
    (ground.home / "victor").mkdir()
    (ground.home / "victor/trust.json").write_text("SECRET")
    command = "exec 2>/dev/null; cat ../victor/* ../.netrc; echo x > vendor/lib/.git/config; pwd"
    launch = Launch(("/bin/sh", "-c", command), ground.workspace, {"PATH": os.environ["PATH"]})
    for _ in range(2):
        async with ground.sandbox.confine(launch, ground.policy()) as start:
            process = await asyncio.create_subprocess_exec(
                *start.argv,
                cwd=start.folder,
                env=start.environment,
                pass_fds=start.pass_fds,
                stdout=asyncio.subprocess.PIPE,
                start_new_session=True,
            )
            said, _ = await process.communicate()
        assert said.decode() == f"{ground.workspace}\n"
    assert (ground.workspace / "vendor/lib/.git/config").read_text() == "as it was"


async def test_what_cannot_be_confined_is_not_started(ground: Ground, tmp_path: Path) -> None:
    (tmp_path / "in the way").write_text("")
    sandbox = Sandbox((ground.kind,), home=ground.home, folder=tmp_path / "in the way")
    launch = Launch(("true",), ground.workspace, {})
    limits = boundaries(ground.policy(), ground.home, ())
    if not ground.kind.places(limits):
        pytest.skip("not on this platform: this kind holds no places")
    with pytest.raises(SandboxError, match="cannot be confined"):
        async with sandbox.confined(ground.kind, launch, limits, ground.policy()):
            raise AssertionError("it would have been started")
