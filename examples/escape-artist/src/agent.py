"""Tries to get out of its box. Every attempt is one an attacker would begin with; the answer
says what stopped it. An attempt that succeeds is reported as such, and makes the run fail.
"""

import ctypes
import json
import os
import socket
import subprocess
import sys

libc = ctypes.CDLL(None, use_errno=True)


def refused(result):
    """A call of the C library that must fail."""
    if result >= 0:
        return None
    return os.strerror(ctypes.get_errno())


def reach_the_network():
    with socket.socket() as connection:
        connection.settimeout(2)
        connection.connect(("1.1.1.1", 443))


def resolve_a_name():
    socket.getaddrinfo("example.com", 443)


def reach_the_cloud_metadata():
    with socket.socket() as connection:
        connection.settimeout(2)
        connection.connect(("169.254.169.254", 80))


def read_passwords():
    open("/etc/shadow").read()


def read_the_hosts_files():
    for place in ["/root", "/home", "/var/lib", "/proc/1/root/etc/shadow"]:
        os.listdir(place) if not place.endswith("shadow") else open(place).read()


def write_to_the_system():
    open("/usr/bin/backdoor", "w")


def write_to_its_own_code():
    open("/app/agent.py", "a")


def see_other_processes():
    others = [name for name in os.listdir("/proc") if name.isdigit() and int(name) not in (1, os.getpid())]
    if not others:
        raise PermissionError("only itself and the guest are to be seen")


def kill_the_guest():
    os.kill(1, 9)
    os.kill(1, 0)
    raise PermissionError("the signal had no effect")


def become_root():
    os.setuid(0)


def mount_a_disk():
    return refused(libc.mount(b"none", b"/tmp", b"tmpfs", 0, None))


def load_a_kernel_module():
    return refused(libc.syscall(175, None, 0, b""))


def make_a_namespace():
    return refused(libc.unshare(0x10000000))


def open_a_raw_socket():
    socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP)


def bomb_with_processes():
    children = []
    try:
        for _ in range(1_000):
            children.append(subprocess.Popen(["sleep", "60"]))
    finally:
        for child in children:
            child.kill()


def take_all_memory():
    hog = "x = bytearray(512 * 1024 * 1024); [x.__setitem__(i, 1) for i in range(0, len(x), 4096)]"
    ended = subprocess.run([sys.executable, "-c", hog], stderr=subprocess.DEVNULL, check=False)
    if ended.returncode != 0:
        raise MemoryError(f"the hog was ended ({ended.returncode}), its box lives on")


def fill_the_disk():
    with open("/workspace/filler", "wb") as filler:
        try:
            for _ in range(1_024):
                filler.write(b"x" * 1024 * 1024)
        finally:
            os.unlink("/workspace/filler")


ATTEMPTS = [
    reach_the_network,
    resolve_a_name,
    reach_the_cloud_metadata,
    read_passwords,
    read_the_hosts_files,
    write_to_the_system,
    write_to_its_own_code,
    see_other_processes,
    kill_the_guest,
    become_root,
    mount_a_disk,
    load_a_kernel_module,
    make_a_namespace,
    open_a_raw_socket,
    bomb_with_processes,
    take_all_memory,
    fill_the_disk,
]

report = {}
escaped = []
for attempt in ATTEMPTS:
    name = attempt.__name__.replace("_", " ")
    try:
        stopped_by = attempt()
    except (OSError, MemoryError) as error:
        stopped_by = str(error)
    report[name] = f"refused: {stopped_by}" if stopped_by else "SUCCEEDED"
    print(json.dumps({"event": f"{name}: {report[name]}"}), flush=True)
    if not stopped_by:
        escaped.append(name)

if escaped:
    sys.exit(f"it got out: {', '.join(escaped)}")
print(json.dumps({"attempts": len(ATTEMPTS), "succeeded": 0}))
