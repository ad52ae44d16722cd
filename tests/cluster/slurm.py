"""Start a real SLURM of one node on this machine, as root, without systemd, and stop what was started.

    python3 tests/cluster/slurm.py up FOLDER
    python3 tests/cluster/slurm.py down FOLDER

Needs Debian's slurm-wlm and munge. The node has two GPUs that are none (/dev/null and /dev/zero): they are granted and
counted like some. Two partitions, ``cpu`` and ``gpu``, share the node. SLURM's configuration must lie in /etc/slurm, so a machine
that has one of its own is left alone. FOLDER gets logs, state and the process ids.
"""

from __future__ import annotations

import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

ETC = Path("/etc/slurm")
MARK = "# written by tests/cluster/slurm.py of pexbench\n"
PROGRAMS = ("slurmctld", "slurmd", "munged", "sbatch", "squeue", "scontrol")
PLACES = ("/usr/sbin", "/usr/bin")


def obstacle() -> str:
    """Why SLURM cannot be started here; empty if it can."""
    if os.geteuid() != 0:
        return "a SLURM of its own needs root"
    path = os.pathsep.join([os.environ.get("PATH", ""), *PLACES])
    absent = [name for name in PROGRAMS if shutil.which(name, path=path) is None]
    if absent:
        return f"{', '.join(absent)} not found: apt-get install slurm-wlm munge"
    config = ETC / "slurm.conf"
    text = config.read_text() if config.exists() else MARK
    if not text.startswith(MARK):
        return f"{config} is not of these tests: the machine belongs to a cluster"
    running = re.search(r"^SlurmctldPidFile=(.*)$", text, flags=re.MULTILINE)
    if running and Path(running[1]).exists() and _alive(int(Path(running[1]).read_text())):
        return f"another run of these tests has a SLURM up (process {Path(running[1]).read_text().strip()})"
    return ""


def configuration(folder: Path) -> tuple[str, str]:
    """Text of slurm.conf and gres.conf."""
    host = socket.gethostname().split(".")[0]
    cpus = max(os.cpu_count() or 1, 4)  # more than there are, so that jobs need not wait for each other
    lines = {
        "ClusterName": "pexbench",
        "SlurmctldHost": f"{host}(127.0.0.1)",
        "SlurmUser": "root",
        "AuthType": "auth/munge",
        "AuthInfo": f"socket={folder}/munge.socket",
        "CryptoType": "crypto/munge",
        "StateSaveLocation": f"{folder}/state",
        "SlurmdSpoolDir": f"{folder}/spool",
        "SlurmctldPidFile": f"{folder}/slurmctld.pid",
        "SlurmdPidFile": f"{folder}/slurmd.pid",
        "SlurmctldLogFile": f"{folder}/slurmctld.log",
        "SlurmdLogFile": f"{folder}/slurmd.log",
        "SlurmctldPort": "26817",
        "SlurmdPort": "26818",
        "ProctrackType": "proctrack/linuxproc",
        "TaskPlugin": "task/none",
        "JobAcctGatherType": "jobacct_gather/none",
        "AccountingStorageType": "accounting_storage/none",
        "SelectType": "select/cons_tres",
        "SelectTypeParameters": "CR_CPU_Memory",
        "SchedulerParameters": "sched_interval=2,bf_interval=2,batch_sched_delay=0",
        "MinJobAge": "3600",
        "OverTimeLimit": "0",
        "KillWait": "2",
        "MpiDefault": "none",
        "ReturnToService": "2",
        "SlurmdParameters": "config_overrides",
        "GresTypes": "gpu",
    }
    text = MARK + "".join(f"{key}={value}\n" for key, value in lines.items())
    text += f"NodeName={host} NodeAddr=127.0.0.1 CPUs={cpus} RealMemory=64000 Gres=gpu:2 State=UNKNOWN\n"
    text += f"PartitionName=cpu Nodes={host} Default=YES MaxTime=INFINITE State=UP\n"
    text += f"PartitionName=gpu Nodes={host} MaxTime=INFINITE State=UP\n"
    return text, MARK + "Name=gpu File=/dev/null\nName=gpu File=/dev/zero\n"


def up(folder: Path) -> None:
    """Start munged, slurmctld and slurmd; wait until the node is idle."""
    reason = obstacle()
    if reason:
        sys.exit(f"slurm: {reason}")
    folder = folder.resolve()
    for name in ("state", "spool", "munge"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    folder.chmod(0o755)
    ETC.mkdir(exist_ok=True)
    for name, text in zip(("slurm.conf", "gres.conf"), configuration(folder), strict=True):
        (ETC / name).write_text(text)
    key = folder / "munge" / "key"
    key.write_bytes(os.urandom(128))
    key.chmod(0o400)
    (folder / "munge").chmod(0o700)
    started: list[subprocess.Popen[bytes]] = []
    commands = [
        [
            *("munged", "--foreground", "--force", f"--socket={folder}/munge.socket", f"--key-file={key}"),
            *(f"--pid-file={folder}/munge/pid", f"--seed-file={folder}/munge/seed"),
        ],
        ["slurmctld", "-D", "-c"],
        ["slurmd", "-D", "-c"],
    ]
    environment = os.environ | {"PATH": os.pathsep.join([os.environ.get("PATH", ""), *PLACES])}
    for command in commands:
        with open(folder / f"{command[0]}.out", "wb") as out:
            started.append(
                subprocess.Popen(
                    command, stdin=subprocess.DEVNULL, stdout=out, stderr=out, env=environment, start_new_session=True
                )
            )
        # Written at once, so that 'down' finds what was started even if the rest fails.
        (folder / "processes").write_text("\n".join(str(process.pid) for process in started) + "\n")
        time.sleep(0.5)
    for _ in range(120):
        dead = [command[0] for command, process in zip(commands, started, strict=True) if process.poll() is not None]
        if dead:
            break
        state = subprocess.run(["sinfo", "-h", "-o", "%T"], capture_output=True, text=True, env=environment).stdout
        if "idle" in state:
            return
        time.sleep(0.5)
    ends = "".join((folder / f"{command[0]}.out").read_text(errors="replace")[-600:] for command in commands)
    down(folder)
    sys.exit(f"slurm: {', '.join(dead) or 'the node'} did not come up: {ends}")


def down(folder: Path) -> None:
    """Stop the processes that ``up`` started, by their ids, and take its configuration away."""
    listed = folder / "processes"
    ids = [int(line) for line in listed.read_text().split()] if listed.exists() else []
    for sign in (signal.SIGTERM, signal.SIGKILL):
        for number in reversed(ids):
            try:
                os.kill(number, sign)
            except ProcessLookupError:
                continue
        for _ in range(50):
            if not any(_alive(number) for number in ids):
                break
            time.sleep(0.1)
    listed.unlink(missing_ok=True)
    for name in ("slurm.conf", "gres.conf"):
        if (ETC / name).exists() and (ETC / name).read_text().startswith(MARK):
            (ETC / name).unlink()


def _alive(number: int) -> bool:
    """Whether a process runs; one that ended and waits for its parent does not."""
    try:
        return Path(f"/proc/{number}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


if __name__ == "__main__":
    if len(sys.argv) != 3 or sys.argv[1] not in ("up", "down"):
        sys.exit(__doc__)
    {"up": up, "down": down}[sys.argv[1]](Path(sys.argv[2]))
