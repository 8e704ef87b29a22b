# SPDX-License-Identifier: Apache-2.0
"""The reference of linuxkit.yml, field by field: what a container's fields become in config.json and runtime.json.

Each case is written from LinuxKit's reference: fields of a container, an image, and parts of its bundle. Absent, null, "",
[], {} and false are the same, as readers of these files take them.
"""
import json

import pytest
from builds import Images, build, refused
from conftest import Keelson

RW = ["rw", "rbind", "rshared"]
ALL = ("CHOWN DAC_OVERRIDE DAC_READ_SEARCH FOWNER FSETID KILL SETGID SETUID SETPCAP LINUX_IMMUTABLE NET_BIND_SERVICE "
       "NET_BROADCAST NET_ADMIN NET_RAW IPC_LOCK IPC_OWNER SYS_MODULE SYS_RAWIO SYS_CHROOT SYS_PTRACE SYS_PACCT SYS_ADMIN "
       "SYS_BOOT SYS_NICE SYS_RESOURCE SYS_TIME SYS_TTY_CONFIG MKNOD LEASE AUDIT_WRITE AUDIT_CONTROL SETFCAP MAC_OVERRIDE "
       "MAC_ADMIN SYSLOG WAKE_ALARM BLOCK_SUSPEND AUDIT_READ PERFMON BPF CHECKPOINT_RESTORE").split()
UNLIMITED = 2**64 - 1
LABEL = {
    "capabilities": ["CAP_KILL"], "ambient": ["CAP_CHOWN"], "binds": ["/label:/label"], "tmpfs": ["/label-tmp"],
    "mounts": [{"type": "tmpfs", "destination": "/label-mount"}], "devices": [{"path": "/dev/l", "type": "c", "major": 1, "minor": 3, "mode": "0644"}],
    "command": ["/label"], "env": ["L=1"], "cwd": "/labelled", "net": "new", "ipc": "new", "uts": "new", "pid": "host",
    "hostname": "labelled", "readonly": True, "maskedPaths": ["/m"], "readonlyPaths": ["/r"], "uid": 7, "gid": 8,
    "additionalGids": [9], "noNewPrivileges": True, "oomScoreAdj": -100, "rootfsPropagation": "slave", "cgroupsPath": "/l",
    "resources": {"pids": {"limit": 5}}, "sysctl": {"net.a": "1"}, "rlimits": ["nofile,1,2"], "annotations": {"a": "label"},
    "uidMappings": [{"containerID": 0, "hostID": 1000, "size": 10}], "gidMappings": [{"containerID": 0, "hostID": 2000, "size": 20}],
    "runtime": {"cgroups": ["l"], "mkdir": ["/l"], "bindNS": {"net": "/l/net", "uts": "/l/uts"}, "namespace": "l"},
}


def plain(value):
    """Without what means the same as its absence."""
    if isinstance(value, dict):
        value = {k: plain(v) for k, v in value.items()}
        return {k: v for k, v in value.items() if v not in (None, "", [], {}) and v is not False}
    return [plain(v) for v in value] if isinstance(value, list) else value


class Bundle:
    def __init__(self, built, name):
        self.built, self.path = built, f"containers/services/{name}"

    def __getitem__(self, key):
        """"config.process.args": a part; "mount./dev": the mount there; "namespaces": {type: path or None}."""
        config = self.built.json(f"{self.path}/config.json")
        if key.startswith("mount."):
            found = [m for m in config["mounts"] if m["destination"] == key[6:]]
            assert len(found) <= 1
            return found[0] if found else None
        if key == "namespaces":
            return {n["type"]: n.get("path") for n in config["linux"]["namespaces"]}
        if key == "destinations":
            return [m["destination"] for m in config["mounts"]]
        if key == "caps":
            return {k: set(v or ()) for k, v in config["process"]["capabilities"].items() if v}
        where, *rest = key.split(".")
        value = config if where == "config" else self.built.json(f"{self.path}/runtime.json")
        for word in rest:
            value = (value or {}).get(word)
        return value


def bind(src, dst, options):
    return {"destination": dst, "type": "bind", "source": src, "options": options}


def caps(*names, ambient=(), effective=None):
    full = {"CAP_" + n for n in names}
    amb = {"CAP_" + n for n in ambient}
    own = full if effective is None else {"CAP_" + n for n in effective}
    return {k: v for k, v in {"bounding": full, "permitted": full, "inheritable": full, "effective": own, "ambient": amb}.items() if v}


def all_but(**changed):
    spaces = {"pid": None, "mount": None} | {k: v for k, v in changed.items() if v != "host"}
    return {k: v for k, v in spaces.items() if changed.get(k) != "host"}


def device(path, kind, major, minor, mode):
    return {"path": path, "type": kind, "major": major, "minor": minor, "fileMode": mode}


def allow(kind, major, minor):
    return {"allow": True, "type": kind, "major": major, "minor": minor, "access": "rwm"}


PROC, SYS = ["nosuid", "nodev", "noexec", "relatime"], ["nosuid", "noexec", "nodev"]
DEV = ["nosuid", "strictatime", "mode=755", "size=65536k"]
ARGS, ENV, CWD, USER = "config.process.args", "config.process.env", "config.process.cwd", "config.process.user"
RES, LINUX = "config.linux.resources", "config.linux."

# (image, fields, {part: value})
CASES = [
    # Nothing said: the image, and the defaults.
    ("plain", {}, {ARGS: ["/entry", "-a", "cmd"]}),
    ("plain", {}, {ENV: ["PATH=/bin", "I=1"]}),
    ("plain", {}, {CWD: "/work"}),
    ("bare", {}, {CWD: "/"}),
    ("bare", {}, {ARGS: None}),
    ("bare", {}, {ENV: None}),
    ("cmd", {}, {ARGS: ["only", "cmd"]}),
    ("plain", {}, {USER: {"uid": 0, "gid": 0}}),
    ("plain", {}, {"config.root": {"path": "rootfs"}}),
    ("plain", {}, {"config.hostname": None}),
    ("plain", {}, {"config.process.terminal": None}),
    ("plain", {}, {"config.process.noNewPrivileges": None}),
    ("plain", {}, {"config.process.oomScoreAdj": None}),
    ("plain", {}, {"config.process.rlimits": None}),
    ("plain", {}, {"config.annotations": None}),
    ("plain", {}, {"caps": {}}),
    ("plain", {}, {"namespaces": all_but()}),
    ("plain", {}, {"destinations": ["/dev", "/dev/pts", "/proc", "/sys", "/sys/fs/cgroup"]}),
    ("plain", {}, {"mount./proc": {"destination": "/proc", "type": "proc", "source": "proc", "options": PROC}}),
    ("plain", {}, {"mount./dev": {"destination": "/dev", "type": "tmpfs", "source": "tmpfs", "options": DEV}}),
    ("plain", {}, {"mount./dev/pts": {"destination": "/dev/pts", "type": "devpts", "source": "devpts",
                                      "options": ["nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620"]}}),
    ("plain", {}, {"mount./sys": {"destination": "/sys", "type": "sysfs", "source": "sysfs", "options": SYS}}),
    ("plain", {}, {"mount./sys/fs/cgroup": {"destination": "/sys/fs/cgroup", "type": "cgroup", "source": "cgroup",
                                            "options": ["nosuid", "noexec", "nodev", "relatime", "ro"]}}),
    ("plain", {}, {RES: None, LINUX + "devices": None, LINUX + "sysctl": None, LINUX + "cgroupsPath": None}),
    ("plain", {}, {LINUX + "maskedPaths": None, LINUX + "readonlyPaths": None, LINUX + "rootfsPropagation": None}),
    ("plain", {}, {LINUX + "uidMappings": None, LINUX + "gidMappings": None}),
    # command, env, cwd
    ("plain", {"command": ["/x", "y z"]}, {ARGS: ["/x", "y z"]}),
    ("plain", {"command": []}, {ARGS: None}),
    ("plain", {"env": ["A=b=c", "EMPTY="]}, {ENV: ["A=b=c", "EMPTY="]}),
    ("plain", {"env": []}, {ENV: None}),
    ("plain", {"cwd": "/else"}, {CWD: "/else"}),
    ("plain", {"cwd": ""}, {CWD: "/work"}),
    # capabilities
    ("plain", {"capabilities": ["CAP_NET_ADMIN"]}, {"caps": caps("NET_ADMIN")}),
    ("plain", {"capabilities": ["CAP_NET_RAW", "CAP_CHOWN"]}, {"config.process.capabilities.bounding": ["CAP_CHOWN", "CAP_NET_RAW"]}),
    ("plain", {"capabilities": ["all"]}, {"caps": caps(*ALL)}),
    ("plain", {"capabilities": ["ALL"]}, {"caps": caps(*ALL)}),
    ("plain", {"capabilities": ["none"]}, {"caps": {}}),
    ("plain", {"capabilities": ["NONE"]}, {"caps": {}}),
    ("plain", {"capabilities": []}, {"caps": {}}),
    ("plain", {"capabilities.add": ["CAP_KILL"]}, {"caps": caps("KILL")}),
    ("plain", {"capabilities": ["CAP_KILL"], "capabilities.add": ["CAP_CHOWN"]}, {"caps": caps("KILL")}),
    ("plain", {"ambient": ["CAP_KILL"]}, {"caps": caps("KILL", ambient=["KILL"], effective=[])}),
    ("plain", {"ambient": ["CAP_KILL"], "capabilities": ["CAP_CHOWN"]}, {"caps": caps("CHOWN", "KILL", ambient=["KILL"], effective=["CHOWN"])}),
    ("plain", {"ambient": ["all"]}, {"caps": caps(*ALL, ambient=ALL, effective=[])}),
    ("plain", {"ambient": ["none"], "capabilities": ["CAP_KILL"]}, {"caps": caps("KILL")}),
    # binds, tmpfs, mounts
    ("plain", {"binds": ["/a:/b"]}, {"mount./b": bind("/a", "/b", RW)}),
    ("plain", {"binds": ["/a:/b:ro"]}, {"mount./b": bind("/a", "/b", ["ro", "rbind"])}),
    ("plain", {"binds": ["/a:/b:ro,rslave"]}, {"mount./b": bind("/a", "/b", ["ro", "rslave", "rbind"])}),
    ("plain", {"binds": ["/a:/b", "/c:/b:ro"]}, {"mount./b": bind("/c", "/b", ["ro", "rbind"])}),
    ("plain", {"binds.add": ["/a:/b"]}, {"mount./b": bind("/a", "/b", RW)}),
    ("plain", {"binds": ["/a:/b"], "binds.add": ["/c:/d"]}, {"mount./b": bind("/a", "/b", RW), "mount./d": None}),
    ("plain", {"binds": ["/a:/zz", "/a:/Z"]}, {"destinations": ["/Z", "/dev", "/dev/pts", "/proc", "/sys", "/sys/fs/cgroup", "/zz"]}),
    ("plain", {"binds": ["/a:/proc"]}, {"mount./proc": bind("/a", "/proc", RW)}),
    ("plain", {"binds": ["vol:/v"]}, {"mount./v": bind("/containers/volumes/vol/merged", "/v", RW)}),
    ("plain", {"binds": ["vol:/v:ro"]}, {"mount./v": bind("/containers/volumes/vol/merged", "/v", ["ro", "rbind"])}),
    ("plain", {"binds": ["fixed:/v:ro"]}, {"mount./v": bind("/containers/volumes/fixed/merged", "/v", ["ro", "rbind"])}),
    ("plain", {"binds.add": ["vol:/v"]}, {"mount./v": bind("/containers/volumes/vol/merged", "/v", RW)}),
    ("plain", {"tmpfs": ["/t"]}, {"mount./t": {"destination": "/t", "type": "tmpfs", "source": "tmpfs"}}),
    ("plain", {"tmpfs": ["/t:size=1m,mode=700"]}, {"mount./t": {"destination": "/t", "type": "tmpfs", "source": "tmpfs", "options": ["size=1m", "mode=700"]}}),
    ("plain", {"tmpfs": ["/t"], "binds": ["/a:/t"]}, {"mount./t": bind("/a", "/t", RW)}),
    ("plain", {"mounts": [{"type": "tmpfs", "destination": "/t", "source": "s", "options": ["ro"]}]}, {"mount./t": {"destination": "/t", "type": "tmpfs", "source": "s", "options": ["ro"]}}),
    ("plain", {"mounts": [{"type": "tmpfs", "destination": "/t"}]}, {"mount./t": {"destination": "/t", "type": "tmpfs", "source": "tmpfs"}}),
    ("plain", {"mounts": [{"type": "mqueue"}]}, {"mount./dev/mqueue": {"destination": "/dev/mqueue", "type": "mqueue", "source": "mqueue"}}),
    ("plain", {"mounts": [{"source": "mqueue"}]}, {"mount./dev/mqueue": {"destination": "/dev/mqueue", "type": "mqueue", "source": "mqueue"}}),
    ("plain", {"mounts": [{"type": "proc", "options": ["ro"]}]}, {"mount./proc": {"destination": "/proc", "type": "proc", "source": "proc", "options": ["ro"]}}),
    ("plain", {"mounts": [{"type": "sysfs"}]}, {"mount./sys": {"destination": "/sys", "type": "sysfs", "source": "sysfs"}}),
    ("plain", {"mounts": [{"type": "devpts"}]}, {"mount./dev/pts": {"destination": "/dev/pts", "type": "devpts", "source": "devpts"}}),
    ("plain", {"mounts": [{"type": "cgroup", "options": ["rw"]}]}, {"mount./sys/fs/cgroup": {"destination": "/sys/fs/cgroup", "type": "cgroup", "source": "cgroup", "options": ["rw"]}}),
    ("plain", {"mounts": [{"destination": "/dev", "options": ["ro"]}]}, {"mount./dev": {"destination": "/dev", "type": "tmpfs", "source": "tmpfs", "options": ["ro"]}}),
    ("plain", {"mounts": [{"type": "tmpfs", "destination": "/b"}], "binds": ["/a:/b"]}, {"mount./b": {"destination": "/b", "type": "tmpfs", "source": "tmpfs"}}),
    ("plain", {"mounts": [{"type": "bind", "source": "/a", "destination": "/b", "options": ["rw", "bind"]}]}, {"mount./b": bind("/a", "/b", ["rw", "bind"])}),
    ("plain", {"mounts": [{"type": "bind", "source": "vol", "destination": "/b"}]}, {"mount./b": {"destination": "/b", "type": "bind", "source": "/containers/volumes/vol/merged"}}),
    # namespaces
    *[("plain", {key: value}, {"namespaces": all_but(**{kind: None})})
      for key, kind in (("net", "network"), ("ipc", "ipc"), ("uts", "uts"), ("userns", "user")) for value in ("new",)],
    ("plain", {"net": "none"}, {"namespaces": all_but(network=None)}),
    *[("plain", {key: value}, {"namespaces": all_but()})
      for key in ("net", "ipc", "uts", "userns") for value in ("host", "root", "")],
    *[("plain", {key: "/run/ns"}, {"namespaces": all_but(**{kind: "/run/ns"})})
      for key, kind in (("net", "network"), ("ipc", "ipc"), ("uts", "uts"), ("userns", "user"), ("pid", "pid"))],
    ("plain", {"pid": "new"}, {"namespaces": all_but()}),
    ("plain", {"pid": "host"}, {"namespaces": {"mount": None}}),
    ("plain", {"pid": "root"}, {"namespaces": {"mount": None}}),
    # scalars
    ("plain", {"hostname": "h"}, {"config.hostname": "h"}),
    ("plain", {"readonly": True}, {"config.root": {"path": "rootfs", "readonly": True}}),
    ("plain", {"readonly": True}, {"mount./dev": {"destination": "/dev", "type": "tmpfs", "source": "tmpfs", "options": [*DEV, "ro"]}}),
    ("plain", {"readonly": True}, {"mount./sys": {"destination": "/sys", "type": "sysfs", "source": "sysfs", "options": [*SYS, "ro"]}}),
    ("plain", {"readonly": True}, {"mount./proc": {"destination": "/proc", "type": "proc", "source": "proc", "options": PROC}}),
    ("plain", {"readonly": False}, {"config.root.readonly": None}),
    ("plain", {"maskedPaths": ["/a", "/b"]}, {LINUX + "maskedPaths": ["/a", "/b"]}),
    ("plain", {"readonlyPaths": ["/a"]}, {LINUX + "readonlyPaths": ["/a"]}),
    ("plain", {"uid": 1000, "gid": 2000}, {USER: {"uid": 1000, "gid": 2000}}),
    ("plain", {"uid": "root", "gid": ""}, {USER: {"uid": 0, "gid": 0}}),
    ("plain", {"uid": "first", "gid": "down"}, {USER: {"uid": 100, "gid": 101}}),
    ("plain", {"uid": "case-0"}, {USER: {"uid": 102, "gid": 0}}),
    ("plain", {"additionalGids": [1, "first", "root"]}, {USER: {"uid": 0, "gid": 0, "additionalGids": [1, 100, 0]}}),
    ("plain", {"noNewPrivileges": True}, {"config.process.noNewPrivileges": True}),
    ("plain", {"oomScoreAdj": -999}, {"config.process.oomScoreAdj": -999}),
    ("plain", {"oomScoreAdj": 0}, {"config.process.oomScoreAdj": 0}),
    *[("plain", {"rootfsPropagation": word}, {LINUX + "rootfsPropagation": word})
      for word in ("shared", "rprivate", "runbindable")],
    ("plain", {"cgroupsPath": "/my/group"}, {LINUX + "cgroupsPath": "/my/group"}),
    ("plain", {"sysctl": {"net.ipv4.ip_forward": "1"}}, {LINUX + "sysctl": {"net.ipv4.ip_forward": "1"}}),
    ("plain", {"annotations": {"a.b/c": "d"}}, {"config.annotations": {"a.b/c": "d"}}),
    # rlimits
    ("plain", {"rlimits": ["nofile,100,200"]}, {"config.process.rlimits": [{"type": "RLIMIT_NOFILE", "soft": 100, "hard": 200}]}),
    ("plain", {"rlimits": ["RLIMIT_CPU, 1 , 2 "]}, {"config.process.rlimits": [{"type": "RLIMIT_CPU", "soft": 1, "hard": 2}]}),
    ("plain", {"rlimits": ["core,0,unlimited"]}, {"config.process.rlimits": [{"type": "RLIMIT_CORE", "soft": 0, "hard": UNLIMITED}]}),
    ("plain", {"rlimits": ["as,Unlimited,UNLIMITED"]}, {"config.process.rlimits": [{"type": "RLIMIT_AS", "soft": UNLIMITED, "hard": UNLIMITED}]}),
    *[("plain", {"rlimits": [f"{name},1,2"]}, {"config.process.rlimits": [{"type": "RLIMIT_" + name.upper(), "soft": 1, "hard": 2}]})
      for name in "fsize data stack rss nproc memlock locks sigpending msgqueue nice rtprio rttime".split()],
    # devices
    ("plain", {"devices": [{"path": "/dev/x", "type": "c", "major": 4, "minor": 5, "mode": "0660"}]},
     {LINUX + "devices": [device("/dev/x", "c", 4, 5, 0o660)], RES: {"devices": [allow("c", 4, 5)]}}),
    ("plain", {"devices": [{"path": "all", "type": "b"}]}, {LINUX + "devices": None, RES: {"devices": [{"allow": True, "type": "b", "access": "rwm"}]}}),
    ("plain", {"devices": [{"path": "/dev/x", "type": "b", "major": 8, "minor": 0, "mode": "600"}], "resources": {"devices": [{"allow": False, "access": "rwm"}]}},
     {RES: {"devices": [{"access": "rwm"}, allow("b", 8, 0)]}}),
    # resources, every field
    *[("plain", {"resources": {"memory": {key: value}}}, {RES + ".memory": {key: value}})
      for key, value in dict(limit=1, reservation=2, swap=-1, kernel=3, kernelTCP=4, swappiness=5, disableOOMKiller=True).items()],
    *[("plain", {"resources": {"cpu": {key: value}}}, {RES + ".cpu": {key: value}})
      for key, value in dict(shares=1, quota=-1, period=3, realtimeRuntime=4, realtimePeriod=5, cpus="0-1", mems="0").items()],
    ("plain", {"resources": {"pids": {"limit": 10}}}, {RES + ".pids": {"limit": 10}}),
    ("plain", {"resources": {"blockio": {"weight": 1, "leafWeight": 2}}}, {RES + ".blockIO": {"weight": 1, "leafWeight": 2}, RES + ".blockio": None}),
    ("plain", {"resources": {"blockio": {"weightDevice": [{"major": 8, "minor": 0, "weight": 5, "leafWeight": 6}]}}},
     {RES + ".blockIO.weightDevice": [{"major": 8, "minor": 0, "weight": 5, "leafWeight": 6}]}),
    *[("plain", {"resources": {"blockio": {key: [{"major": 8, "minor": 1, "rate": 9}]}}}, {RES + ".blockIO." + key: [{"major": 8, "minor": 1, "rate": 9}]})
      for key in ("throttleReadBpsDevice", "throttleWriteBpsDevice", "throttleReadIOPSDevice", "throttleWriteIOPSDevice")],
    ("plain", {"resources": {"network": {"classID": 7, "priorities": [{"name": "eth0", "priority": 3}]}}}, {RES + ".network": {"classID": 7, "priorities": [{"name": "eth0", "priority": 3}]}}),
    ("plain", {"resources": {"hugepageLimits": [{"pageSize": "2MB", "limit": 4194304}]}}, {RES + ".hugepageLimits": [{"pageSize": "2MB", "limit": 4194304}]}),
    # id mappings
    ("plain", {"uidMappings": [{"containerID": 1, "hostID": 2, "size": 3}]}, {LINUX + "uidMappings": [{"containerID": 1, "hostID": 2, "size": 3}]}),
    ("plain", {"gidMappings": [{"containerID": 4, "hostID": 5, "size": 6}]}, {LINUX + "gidMappings": [{"containerID": 4, "hostID": 5, "size": 6}]}),
    ("plain", {"mounts": [{"type": "bind", "source": "/a", "destination": "/b", "options": ["bind"], "uidmappings": [{"containerID": 1, "hostID": 2, "size": 3}],
                           "gidmappings": [{"hostID": 5, "size": 6}]}]},
     {"mount./b": {**bind("/a", "/b", ["bind"]), "uidMappings": [{"containerID": 1, "hostID": 2, "size": 3}],
                   "gidMappings": [{"containerID": 0, "hostID": 5, "size": 6}]}}),
    # runtime
    ("plain", {}, {"runtime.cgroups": None, "runtime.mkdir": None, "runtime.interfaces": None, "runtime.namespace": None}),
    ("plain", {"runtime": {"cgroups": ["a", "b"]}}, {"runtime.cgroups": ["a", "b"]}),
    ("plain", {"runtime": {"mkdir": ["/a"]}}, {"runtime.mkdir": ["/a"]}),
    ("plain", {"runtime": {"namespace": "n"}}, {"runtime.namespace": "n"}),
    ("plain", {"runtime": {"bindNS": {"net": "/n"}}}, {"runtime.bindNS": {"net": "/n"}}),
    ("plain", {"runtime": {"bindNS": {k: "/" + k for k in ("cgroup", "ipc", "mnt", "net", "pid", "user", "uts")}}},
     {"runtime.bindNS": {k: "/" + k for k in ("cgroup", "ipc", "mnt", "net", "pid", "user", "uts")}}),
    ("plain", {"runtime": {"interfaces": [{"name": "v", "peer": "w", "createInRoot": True}]}}, {"runtime.interfaces": [{"name": "v", "peer": "w", "createInRoot": True}]}),
    ("plain", {"runtime": {"interfaces": [{"name": "d", "add": "dummy"}]}}, {"runtime.interfaces": [{"name": "d", "add": "dummy"}]}),
    ("plain", {"runtime": {"restart": {"policy": "always", "delay": "1s"}, "stop": {"signal": "SIGINT"}}},
     {"runtime.restart": {"policy": "always", "delay": "1s"}, "runtime.stop": {"signal": "SIGINT"}}),
    # The label alone gives every field.
    ("label", {}, {"caps": caps("KILL", "CHOWN", ambient=["CHOWN"], effective=["KILL"])}),
    ("label", {}, {"mount./label": bind("/label", "/label", RW), "mount./label-tmp": {"destination": "/label-tmp", "type": "tmpfs", "source": "tmpfs"}}),
    ("label", {}, {"mount./label-mount": {"destination": "/label-mount", "type": "tmpfs", "source": "tmpfs"}}),
    ("label", {}, {LINUX + "devices": [device("/dev/l", "c", 1, 3, 0o644)]}),
    ("label", {}, {ARGS: ["/label"], ENV: ["L=1"], CWD: "/labelled"}),
    ("label", {}, {"namespaces": {"network": None, "ipc": None, "uts": None, "mount": None}}),
    ("label", {}, {"config.hostname": "labelled", "config.root.readonly": True}),
    ("label", {}, {LINUX + "maskedPaths": ["/m"], LINUX + "readonlyPaths": ["/r"], LINUX + "rootfsPropagation": "slave"}),
    ("label", {}, {USER: {"uid": 7, "gid": 8, "additionalGids": [9]}}),
    ("label", {}, {"config.process.noNewPrivileges": True, "config.process.oomScoreAdj": -100}),
    ("label", {}, {LINUX + "cgroupsPath": "/l", LINUX + "sysctl": {"net.a": "1"}, "config.annotations": {"a": "label"}}),
    ("label", {}, {RES: {"pids": {"limit": 5}, "devices": [allow("c", 1, 3)]}}),
    ("label", {}, {"config.process.rlimits": [{"type": "RLIMIT_NOFILE", "soft": 1, "hard": 2}]}),
    ("label", {}, {LINUX + "uidMappings": [{"containerID": 0, "hostID": 1000, "size": 10}], LINUX + "gidMappings": [{"containerID": 0, "hostID": 2000, "size": 20}]}),
    ("label", {}, {"runtime.cgroups": ["l"], "runtime.mkdir": ["/l"], "runtime.namespace": "l", "runtime.bindNS": {"net": "/l/net", "uts": "/l/uts"}}),
    # The YAML over the label.
    ("label", {"capabilities": ["CAP_BPF"]}, {"caps": caps("BPF", "CHOWN", ambient=["CHOWN"], effective=["BPF"])}),
    ("label", {"capabilities": [], "ambient": []}, {"caps": {}}),
    ("label", {"capabilities.add": ["CAP_BPF", "CAP_KILL"]}, {"caps": caps("KILL", "BPF", "CHOWN", ambient=["CHOWN"], effective=["KILL", "BPF"])}),
    ("label", {"binds": ["/a:/b"]}, {"mount./label": None, "mount./b": bind("/a", "/b", RW)}),
    ("label", {"binds": []}, {"mount./label": None}),
    ("label", {"binds.add": ["/a:/b"]}, {"mount./label": bind("/label", "/label", RW), "mount./b": bind("/a", "/b", RW)}),
    ("label", {"tmpfs": []}, {"mount./label-tmp": None}),
    ("label", {"mounts": []}, {"mount./label-mount": None}),
    ("label", {"devices": []}, {LINUX + "devices": None}),
    ("label", {"command": []}, {ARGS: None}),
    ("label", {"env": ["Y=2"]}, {ENV: ["Y=2"]}),
    ("label", {"cwd": ""}, {CWD: "/labelled"}),
    ("label", {"net": "host", "ipc": "root", "uts": "host", "pid": "new"}, {"namespaces": all_but()}),
    ("label", {"net": ""}, {"namespaces": {"network": None, "ipc": None, "uts": None, "mount": None}}),
    ("label", {"hostname": "mine", "readonly": False}, {"config.hostname": "mine", "config.root.readonly": None}),
    ("label", {"uid": 0, "gid": 0, "additionalGids": []}, {USER: {"uid": 0, "gid": 0}}),
    ("label", {"noNewPrivileges": False, "oomScoreAdj": 0}, {"config.process.noNewPrivileges": None, "config.process.oomScoreAdj": 0}),
    ("label", {"resources": {"memory": {"limit": 1}}}, {RES: {"memory": {"limit": 1}, "devices": [allow("c", 1, 3)]}}),
    ("label", {"sysctl": {"net.b": "2"}}, {LINUX + "sysctl": {"net.b": "2"}}),
    ("label", {"sysctl": {}}, {LINUX + "sysctl": None}),
    ("label", {"annotations": {}}, {"config.annotations": None}),
    ("label", {"rlimits": []}, {"config.process.rlimits": None}),
    ("label", {"maskedPaths": [], "readonlyPaths": ["/y"]}, {LINUX + "maskedPaths": None, LINUX + "readonlyPaths": ["/y"]}),
    ("label", {"uidMappings": [], "gidMappings": []}, {LINUX + "uidMappings": None, LINUX + "gidMappings": None}),
    ("label", {"runtime": {"mkdir": ["/y"]}}, {"runtime.mkdir": ["/y"], "runtime.cgroups": ["l"]}),
    ("label", {"runtime": {"bindNS": {"net": "/y"}}}, {"runtime.bindNS": {"net": "/y", "uts": "/l/uts"}}),
    ("label", {"runtime": {"cgroups": [], "namespace": ""}}, {"runtime.cgroups": None, "runtime.namespace": None}),
]

# (fields, what the message has)
LONG = "/" + "x/" * 2047 + "x"
WRONG = [
    ({"capabilities": ["CAP_NONSENSE"]}, "CAP_NONSENSE"), ({"capabilities": ["all", "CAP_KILL"]}, '"all"'),
    ({"capabilities": ["cap_kill"]}, "cap_kill"), ({"ambient": ["KILL"]}, '"KILL"'), ({"capabilities.add": ["x"]}, '"x"'),
    ({"binds": ["/a"]}, "/a"), ({"binds": ["/a:/b:ro:x"]}, "/a:/b:ro:x"), ({"binds": ["nowhere:/b"]}, '"nowhere"'),
    ({"binds": ["fixed:/b"]}, "read-only"), ({"tmpfs": ["/a:b:c"]}, "/a:b:c"),
    ({"mounts": [{"destination": "/x"}]}, "/x"), ({"mounts": [{"type": "ext4", "source": "/dev/sda"}]}, "destination"),
    *[({"devices": [{"path": "/dev/x", "type": "c", **fields}]}, "mode") for fields in ({}, {"mode": "9"})],
    ({"devices": [{"path": "/dev/x", "type": "c", "mode": "10666"}]}, "mode"),
    *[({"devices": [{"path": "/dev/x", "mode": "600", **fields}]}, "type")
      for fields in ({}, {"type": "a"}, {"type": "p"}, {"type": "char"})],
    ({"resources": {"devices": [{"type": "p"}]}}, '"type" must be b (a block device)'),
    ({"resources": {"devices": [{"access": "rwx"}]}}, '"access" must be some of the letters r, w and m, not "rwx"'),
    *[({key: "hsot"}, f'"{key}" must be host, new') for key in ("net", "ipc", "pid", "uts", "userns")],
    ({"pid": "none"}, '"pid" must be host, new'),
    ({"cwd": "work"}, '"cwd" must be an absolute path'), ({"rootfsPropagation": "rrshared"}, "rootfsPropagation"),
    ({"rootfsPropagation": "all"}, '"rootfsPropagation" must be private, shared, slave or unbindable'),
    ({"rlimits": ["nofile"]}, "nofile"), ({"rlimits": ["nonsense,1,2"]}, "nonsense"), ({"rlimits": ["nofile,-1,2"]}, "-1"),
    ({"uid": "nobody-like-this"}, "nobody-like-this"), ({"gid": "x"}, '"x"'), ({"additionalGids": ["y"]}, '"y"'),
    ({"uid": 1.5}, "uid"), ({"command": "a string"}, "command"), ({"env": {"A": "b"}}, "env"), ({"readonly": "yes"}, "readonly"),
    ({"oomScoreAdj": "1"}, "oomScoreAdj"), ({"sysctl": {"a": 1}}, '"a"'), ({"resources": {"nonsense": 1}}, "nonsense"),
    ({"resources": {"hugepageLimits": [{"pageSize": 2, "limit": 1}]}}, '"pageSize" must be a string, not a number; put it in quotes'),
    *[({"resources": {"hugepageLimits": [{"pageSize": size, "limit": 1}]}}, '"pageSize" must be a size such as "2MB" or "1GB"')
      for size in ("2", "2M", "MB", "02MB", "2MiB", "")],
    ({"runtime": {"mounts": [{"uidmappings": []}]}}, 'unknown key "uidmappings"'), ({"rlimits": ["nofile,3,2"]}, "nofile,3,2"),
    ({"binds": [f"{LONG}:/b"]}, "has 4096 bytes; shorten it"), ({"binds": [f"/b:{LONG}"]}, "has 4096 bytes; shorten it"),
    ({"tmpfs": [f"{LONG}:ro"]}, "has 4096 bytes; shorten it"), ({"hostname": "h" * 65}, '"hostname" must be a name of at most 64 bytes'),
    *[(fields, "must be a path of at most 4095 bytes") for fields in (
        {"mounts": [{"type": "tmpfs", "destination": LONG}]}, {"devices": [{"path": LONG, "type": "c", "mode": "600"}]},
        {"maskedPaths": [LONG]}, {"runtime": {"mkdir": [LONG]}}, {"runtime": {"bindNS": {"net": LONG}}})],
    *[({key: LONG}, "path of at most 4095 bytes") for key in ("cwd", "net", "pid")],
    ({"runtime": {"nonsense": []}}, "nonsense"), ({"capabilites": []}, 'did you mean "capabilities"'), ({"net": ["x"]}, "net"),
]

# (fields, the widest numbers that the OCI runtime specification has for the last key)
U16, U32, I64 = (0, 2**16 - 1), (0, 2**32 - 1), (-2**63, 2**63 - 1)
WIDTHS = [
    *[({"resources": {"memory": {key: None}}}, width) for key, width in
      dict(limit=I64, reservation=I64, swap=I64, kernel=I64, kernelTCP=I64, swappiness=(0, I64[1])).items()],
    *[({"resources": {"cpu": {key: None}}}, width) for key, width in
      dict(shares=(0, I64[1]), quota=I64, period=(0, I64[1]), realtimeRuntime=I64, realtimePeriod=(0, I64[1])).items()],
    ({"resources": {"pids": {"limit": None}}}, I64),
    *[({"resources": {"blockio": {key: None}}}, U16) for key in ("weight", "leafWeight")],
    *[({"resources": {"blockio": {"weightDevice": [{key: None}]}}}, width) for key, width in
      dict(major=I64, minor=I64, weight=U16, leafWeight=U16).items()],
    *[({"resources": {"blockio": {"throttleReadBpsDevice": [{key: None}]}}}, width) for key, width in
      dict(major=I64, minor=I64, rate=(0, I64[1])).items()],
    ({"resources": {"hugepageLimits": [{"limit": None}]}}, (0, I64[1])),
    ({"resources": {"network": {"classID": None}}}, U32), ({"resources": {"network": {"priorities": [{"priority": None}]}}}, U32),
    *[({"resources": {"devices": [{key: None}]}}, I64) for key in ("major", "minor")],
    *[({"devices": [{"path": "/dev/x", "type": "c", "mode": "600", key: None}]}, I64) for key in ("major", "minor")],
    *[({where: [{key: None}]}, U32) for where in ("uidMappings", "gidMappings") for key in ("containerID", "hostID", "size")],
    *[({"mounts": [{"type": "tmpfs", "destination": "/m", where: [{key: None}]}]}, U32)
      for where in ("uidmappings", "gidmappings") for key in ("containerID", "hostID", "size")],
    *[({key: None}, U32) for key in ("uid", "gid")], ({"additionalGids": [None]}, U32),
    ({"oomScoreAdj": None}, (-1000, 1000)), ({"runtime": {"interfaces": [{"name": "e", "add": "vlan", "id": None}]}}, U32),
]


def yaml_of(cases):
    """JSON is YAML. A container before, and one after, so that names have numbers."""
    return json.dumps({
        "onboot": [{"name": "first", "image": "t/plain"}], "onshutdown": [{"name": "down", "image": "t/plain"}],
        "volumes": [{"name": "vol"}, {"name": "fixed", "readonly": True}],
        "services": [{"name": name, "image": f"t/{image}", **fields} for name, image, fields in cases]})


@pytest.fixture(scope="module")
def keelson_once(tmp_path_factory):
    keelson = Keelson(tmp_path_factory.mktemp("reference") / "home")
    images = Images(keelson.cache)
    files = {"bin/x": b"x"}
    images.image("plain", files, config={"Entrypoint": ["/entry", "-a"], "Cmd": ["cmd"], "Env": ["PATH=/bin", "I=1"],
                                         "WorkingDir": "/work"})
    images.image("cmd", files, config={"Cmd": ["only", "cmd"]})
    images.image("bare", files, config={"User": "ignored"})
    images.image("label", files, config={"Cmd": ["c"], "Labels": {"org.mobyproject.config": json.dumps(LABEL)}})
    return keelson


@pytest.fixture(scope="module")
def built(keelson_once):
    return build(keelson_once, yaml_of([(f"case-{i}", image, fields) for i, (image, fields, _) in enumerate(CASES)]))


@pytest.mark.parametrize("number", range(len(CASES)), ids=lambda n: f"{n}-{CASES[n][0]}-{'+'.join(CASES[n][1]) or 'nothing'}")
def test_field(built, number):
    _, fields, parts = CASES[number]
    bundle = Bundle(built, f"case-{number}")
    for key, want in parts.items():
        got = bundle[key]
        if key not in ("namespaces", "caps"):
            got, want = plain(got), plain(want)
            got = None if got is False or got in ({}, [], "") else got
        assert got == want, (fields, key)


def test_there_are_enough_of_them():
    assert len(CASES) >= 150


@pytest.mark.parametrize("fields, says", WRONG, ids=lambda v: json.dumps(v)[:40] if isinstance(v, dict) else "")
def test_wrong(keelson_once, fields, says):
    message = refused(keelson_once, yaml_of([("wrong", "plain", fields)]))
    assert message.startswith("keelson: bad.yml:1:") and says in message


def test_numbers_are_as_wide_as_the_specification_has_them(keelson_once):
    """What runc cannot read makes a container that never starts."""
    def numbered(fields, number):
        return json.loads(json.dumps(fields).replace("null", str(number)))

    ends = [(fields, end) for fields, width in WIDTHS for end in width]
    built = build(keelson_once, yaml_of([(f"case-{i}", "plain", numbered(*case)) for i, case in enumerate(ends)]))
    for i, (fields, end) in enumerate(ends):
        text = built.read(f"containers/services/case-{i}/config.json").decode() + built.read(f"containers/services/case-{i}/runtime.json").decode()
        assert str(end) in text, fields
    beyond = [(fields, number) for fields, (first, last) in WIDTHS for number in (first - 1, last + 1)]
    for part in range(0, len(beyond), 40):
        some = beyond[part:part + 40]
        (keelson_once.home / "bad.yml").write_text(yaml_of([(f"case-{i}", "plain", numbered(*case)) for i, case in enumerate(some)]))
        done = keelson_once.run("build", "--offline", "--no-sbom", "--format", "tar", "bad.yml", check=False)
        assert done.returncode == 1 and done.stderr.count("keelson: bad.yml:1:") == len(some), done.stderr
