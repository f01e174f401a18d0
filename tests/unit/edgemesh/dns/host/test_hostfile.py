"""A file of the host that is changed all at once, or not at all."""

import errno
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from edgecore.errors import HostFileError
from edgecore.modules.edgemesh.dns.host import hostfile

HOLDER = """
import sys
from pathlib import Path
from edgecore.modules.edgemesh.dns.host import hostfile
sys.platform = sys.argv[2]
held = hostfile.hold(Path(sys.argv[1]))
assert held
print("held", flush=True)
sys.stdin.read()
"""


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "resolv.conf"
    path.write_bytes(b"old\n")
    path.chmod(0o644)
    return path


def to(content):
    return lambda _: content


ANEW = to(b"new\n")


def refused(path, edit=ANEW):
    with pytest.raises(HostFileError) as caught:
        hostfile.change(path, edit)
    assert str(caught.value).startswith(f"cannot change {path}: ")
    return caught.value.reason


def test_the_new_content_replaces_the_old_and_nothing_lies_beside_it(file):
    assert hostfile.change(file, lambda content: content + b"new\n")
    assert file.read_bytes() == b"old\nnew\n"
    assert [path.name for path in file.parent.iterdir()] == ["resolv.conf"]


def test_a_content_that_stays_is_not_written(file):
    before = file.stat()
    assert not hostfile.change(file, lambda content: content)
    assert (file.stat().st_ino, file.stat().st_mtime_ns) == (before.st_ino, before.st_mtime_ns)


@pytest.mark.parametrize("mode", [0o600, 0o640, 0o755, 0o444])
def test_the_mode_of_the_file_is_kept(file, mode):
    file.chmod(mode)
    hostfile.change(file, to(b"new\n"))
    assert file.stat().st_mode & 0o7777 == mode


@pytest.mark.needs_root
def test_the_owner_is_kept(file):
    os.chown(file, 12, 34)
    hostfile.change(file, to(b"new\n"))
    assert (file.stat().st_uid, file.stat().st_gid) == (12, 34)


@pytest.mark.needs_root
def test_a_file_of_another_owner_is_left_alone_where_the_owner_cannot_be_kept(file, unprivileged):
    os.chown(file.parent, os.geteuid(), -1)
    subprocess.run(["chown", "12", str(file)], check=True)  # a process of its own still has the privilege
    assert refused(file) == "no_permission"
    assert file.read_bytes() == b"old\n"
    assert [path.name for path in file.parent.iterdir()] == ["resolv.conf"]


def test_extended_attributes_are_kept(file):
    try:
        os.setxattr(file, "user.label", b"net_conf_t")
    except OSError:
        pytest.skip("this file system has no extended attributes")
    hostfile.change(file, to(b"new\n"))
    assert os.getxattr(file, "user.label") == b"net_conf_t"


def test_what_a_crash_left_beside_the_file_does_not_matter(file):
    (file.parent / ".resolv.conf.edgecore").write_bytes(b"half")
    hostfile.change(file, to(b"new\n"))
    assert file.read_bytes() == b"new\n"
    assert [path.name for path in file.parent.iterdir()] == ["resolv.conf"]


def test_a_link_is_left_alone_and_its_target_too(file):
    target = file.rename(file.with_name("stub-resolv.conf"))
    file.symlink_to(target.name)
    assert hostfile.read(file) == b"old\n"
    assert refused(file) == "link"
    assert (file.is_symlink(), target.read_bytes()) == (True, b"old\n")


def test_a_link_that_need_not_be_changed_is_no_error(file):
    target = file.rename(file.with_name("stub-resolv.conf"))
    file.symlink_to(target.name)
    assert not hostfile.change(file, lambda content: content)


def test_a_file_with_a_second_name_is_left_alone(file):
    (file.parent / "other").hardlink_to(file)
    assert refused(file) == "linked"
    assert file.read_bytes() == b"old\n"


@pytest.mark.parametrize(
    ("number", "reason"),
    [(errno.EBUSY, "mounted"), (errno.EPERM, "no_permission"), (errno.EROFS, "no_permission"), (errno.EIO, "failed")],
)
def test_a_file_that_cannot_be_renamed_over_is_as_it_was(file, monkeypatch, number, reason):
    def replace(_self, _target):
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(Path, "replace", replace)
    assert refused(file) == reason
    assert file.read_bytes() == b"old\n"
    assert [path.name for path in file.parent.iterdir()] == ["resolv.conf"]


def test_a_directory_that_may_not_be_written_leaves_the_file(file, unprivileged):
    file.parent.chmod(0o500)
    try:
        assert refused(file) == "no_permission"
    finally:
        file.parent.chmod(0o700)
    assert file.read_bytes() == b"old\n"


def test_a_file_that_is_not_there_is_not_made(tmp_path):
    assert refused(tmp_path / "none") == "absent"
    assert list(tmp_path.iterdir()) == []


def test_a_named_pipe_is_refused_and_does_not_block(tmp_path):
    os.mkfifo(tmp_path / "resolv.conf")
    assert refused(tmp_path / "resolv.conf") == "no_file"


def test_a_long_file_is_refused(file):
    file.write_bytes(b"#" * (hostfile.LIMIT_BYTES + 1))
    assert refused(file) == "too_long"


def test_what_somebody_writes_meanwhile_is_kept(file):
    others = iter([b"theirs\n", b"theirs too\n"])

    def edit(content):
        for other in others:
            file.write_bytes(other * 2)
            break
        return b"ours\n" + content

    assert hostfile.change(file, edit)
    assert file.read_bytes() == b"ours\n" + b"theirs too\n" * 2


def test_a_file_that_is_written_all_the_time_is_left_alone(file):
    def edit(content):
        file.write_bytes(content + b"more\n")
        return b"ours\n"

    assert refused(file, edit) == "busy"
    assert b"ours" not in file.read_bytes()


@pytest.mark.parametrize("platform", ["linux", "other"])
def test_one_process_at_a_time_holds_a_file(file, platform, monkeypatch, tmp_path):
    monkeypatch.setattr(sys, "platform", platform)
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr(tempfile, "tempdir", None)
    command = [sys.executable, "-c", HOLDER, str(file), platform]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as other:
        assert other.stdout.readline() == b"held\n"
        assert hostfile.hold(file) is None
        other.kill()
    held = hostfile.hold(file)
    assert held is not None
    held.close()


def test_a_directory_that_is_not_there_cannot_be_held(tmp_path):
    with pytest.raises(HostFileError):
        hostfile.hold(tmp_path / "none" / "resolv.conf")


@pytest.mark.needs_root
def test_a_mount_point_is_left_alone(file):
    other = file.with_name("of-the-container")
    other.write_bytes(b"old\n")
    code = (
        "import sys; from pathlib import Path; from edgecore.modules.edgemesh.dns.host import hostfile\n"
        "try: hostfile.change(Path(sys.argv[1]), lambda content: b'new\\n')\n"
        "except hostfile.HostFileError as error: print(error.reason, Path(sys.argv[1]).read_text(), end='')"
    )
    script = 'mount --bind "$1" "$2" && exec "$3" -c "$4" "$2"'
    command = ["unshare", "--mount", "sh", "-c", script, "sh", str(other), str(file), sys.executable, code]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if "mount" in done.stderr or "unshare" in done.stderr:
        pytest.skip(f"this machine mounts nothing for us: {done.stderr.strip()}")
    assert done.stdout == "mounted old\n", done.stderr
