# SPDX-License-Identifier: Apache-2.0
"""How services are supervised: the words in `runtime:`, what is shown of it, and what is said when something is wrong."""
import json
import re
import subprocess
import sys
import tarfile

import harness
from test_faults import BASE, CTR

FOREVER = 'trap "exit 0" TERM; while :; do sleep 100 & wait $!; done'


def sh(script, **words):
    """YAML of a service that runs a shell script, with further keys of its image."""
    lines = ["    image: keelson/busybox:latest", f"    command: {json.dumps(['sh', '-c', script])}"]
    return "\n".join(lines + [f"    {key}: {value}" for key, value in words.items()]) + "\n"


def until_told(marks):
    """Like FOREVER; at the end of everything, which /var/ending announces, it notes when it was told to stop."""
    return f'trap "[ ! -e /hostvar/ending ] || {{ {marks}; }}; exit 0" TERM; while :; do sleep 100 & wait $!; done'


def slowly(name):
    return until_told(f"echo {name} begins >>/hostvar/stops; sleep 1; echo {name} ends >>/hostvar/stops")


def together_with(other, name):
    """Ends when the other one has been told, too."""
    return until_told(f"echo {name} begins >>/hostvar/stops; until grep -q {other} /hostvar/stops; do sleep 0.1; done; "
                      f"echo {name} ends >>/hostvar/stops")


VAR = '["/var:/hostvar"]'


def services(**texts):
    return BASE + "services:\n" + "".join(f"  - name: {name}\n{text}" for name, text in texts.items())


POLICIES = services(
    # Order and readiness: each of these waits for the one before.
    db=sh("sleep 1; echo > /run/ready; " + slowly("db"), tmpfs='["/run"]', binds=VAR,
          runtime="{ready: {file: /run/ready, interval: 200ms}}"),
    app=sh("echo ok > /tmp/fine; httpd -p 8080 -h /tmp; " + slowly("app"), net="new", tmpfs='["/tmp"]', binds=VAR,
           runtime="{after: [db], ready: {tcp: 8080, interval: 200ms},"
                   " health: {http: 8080/fine, interval: 300ms, timeout: 10s, failures: 2}}"),
    web=sh('echo "I am the web"; ' + slowly("web"), binds=VAR),
    # A circle.
    hen=sh(together_with("egg", "hen"), binds=VAR, runtime="{stop: {timeout: 30s}}"),
    egg=sh(together_with("hen", "egg"), binds=VAR, runtime="{stop: {timeout: 30s}}"),
    # A flood, with a bounded file to flow into.
    talker=sh("yes it flows | head -n 700000; echo the end; " + FOREVER),
    # Restarts, and what ends them.
    limited=sh("exit 3", runtime="{restart: {delay: 50ms, limit: 2}}"),
    never=sh("exit 4", runtime="{restart: {policy: never}}"),
    always=sh("exit 0", runtime="{restart: {policy: always, delay: 1s, maxDelay: 1s}}"),
    eater=sh("x=$(tail /dev/zero)", resources="{memory: {limit: 20971520}}", runtime="{restart: {policy: never}}"),
    spared=sh("tail /dev/zero; " + FOREVER, resources="{memory: {limit: 20971520}}", runtime="{restart: {policy: never}}"),
    late=sh(FOREVER, runtime="{ready: {tcp: 9, timeout: 2s}, restart: {policy: never}}"),
    # Stops.
    deaf=sh('trap "" TERM; while :; do sleep 100 & wait $!; done', runtime="{stop: {timeout: 1s}}"),
    # It ends some time after deaf, whose end comes with its own grace; this one's is longer.
    patient=sh(until_told("until [ ! -d /proc/\\$(cat /hostvar/deaf) ]; do sleep 0.1; done; sleep 5;"
                          " echo patient ends >>/hostvar/stops"),
               pid="host", binds=VAR, runtime="{stop: {timeout: 60s}}"),
    polite=sh('trap "" TERM; trap "exit 0" USR1; while :; do sleep 100 & wait $!; done',
              runtime="{stop: {signal: SIGUSR1, timeout: 30s}}"),
    fugitive=sh("setsid sh -c 'setsid sleep 31415 & sleep 31415' & " + FOREVER, pid="host"),
) + """files:
  - path: containers/services/hollow/readme
    contents: "no config.json here"
  - path: containers/services/stray
    contents: "a file is no service"
"""

# What the builder would refuse.
REFUSED = {"web": {"after": ["app", "nosuch"], "ready": {"exec": ["true"], "timeout": "10m"}},
           "hen": {"after": ["egg"]}, "egg": {"after": ["hen"]}}


def with_words(yaml, folder, words):
    """The YAML with files that put words into the runtime.json that the builder makes for these services."""
    source, tar = folder / "plain.yml", folder / "plain.tar"
    source.write_text(yaml)
    done = harness.keelson("build", "--format", "tar", "--o", tar, source)
    assert done.returncode == 0, done.stderr
    with tarfile.open(tar) as archive:
        for name, more in words.items():
            path = f"containers/services/{name}/runtime.json"
            text = json.dumps(json.load(archive.extractfile(path)) | more)
            yaml += f"  - path: {path}\n    contents: {json.dumps(text)}\n"
    tar.unlink()
    return yaml


def service(vm, name):
    return next(s for s in vm.json("service list --json") if s["name"] == name)


def restarted(vm, name, pid):
    vm.wait_for(f"service list | grep '^{name} *running' | grep -vqw {pid}")


def test_the_drawings_are_those_of_the_tables():
    done = subprocess.run([sys.executable, str(harness.REPO / "svcd/draw.py"), "--check"], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def check_order(vm):
    vm.wait_for("service list | grep -q '^web *running.* ready'")
    assert 'service web: there is no service "nosuch" to start after' in vm.console
    assert "services wait for each other in a circle: egg, hen; they start without an order" in vm.console
    up = {s["name"]: s["up_ms"] for s in vm.json("service list --json")}
    assert up["db"] > up["app"] + 1000 and up["app"] > up["web"]
    # deaf and fugitive 15 s at most together, polite, hen and egg 35 s, the chain of three 45 s, patient 65; and containerd.
    assert vm.run("cat /run/keelson/stop-seconds").stdout == "70\n"


def check_ends(vm):
    vm.wait_for("[ $(service list | grep -cE '^(limited|never|eater|late) *failed') = 4 ]")
    limited, never, eater, late = (service(vm, name) for name in ("limited", "never", "eater", "late"))
    assert (limited["restarts"], limited["exit_status"]) == (2, 3)
    assert (never["restarts"], never["last_error"]) == (0, "it exited with status 4")
    assert eater["last_exit"] == "was killed: out of memory"
    assert re.match("it was not ready in time: port 9: Connection refused", late["last_error"])
    vm.wait_for("service list --json | tr -d ' \\n' | grep -qE '\"name\":\"always\"[^}]*\"restarts\":[1-9]'")
    assert vm.console.count("could not use /containers/services/stray as a service: Not a directory") == 1
    assert "stray" not in vm.run("service list").stdout
    assert "hollow" in vm.console and re.search(r"service hollow: could not .*config\.json", vm.console)


def check_commands(vm):
    status = vm.run("service status app").stdout
    assert re.search(r"^state +running for ", status, re.M) and re.search(r"^health +healthy", status, re.M)
    assert re.search(r"^memory +\d+\.\d MiB", status, re.M) and re.search(r"^check +by http", status, re.M)
    assert vm.run("service logs web").stdout == "I am the web\n"
    assert "I am the web" in vm.run("service status web").stdout
    assert vm.run("timeout 2 service logs -f web || true").stdout == "I am the web\n"
    # Followed on when the file is emptied, and when another takes its place.
    vm.run("service logs -f web >/tmp/followed & echo $! >/tmp/follower")
    for word, change in (("web", "true"), ("emptied", ": >web.log; echo emptied >>web.log"),
                         ("anew", "mv web.log web.log.0; echo anew >web.log")):
        vm.run(f"cd /var/log; {change}")
        vm.wait_for(f"grep -q {word} /tmp/followed")
    vm.run("kill $(cat /tmp/follower)")
    web = service(vm, "web")["pid"]
    vm.run("service wait always & service stop always; wait $! && service wait never; [ $? = 1 ]")
    vm.run("service kill web SIGKILL")
    restarted(vm, "web", web)
    assert service(vm, "web")["last_exit"].startswith("was ended by signal 9")
    # Of it, a child was killed for want of memory; but that was long ago.
    vm.run("until service status spared | grep -q '1 killed for want of memory'; do sleep 1; done; sleep 6;"
           " service kill spared SIGKILL; service wait spared || true")
    assert service(vm, "spared")["last_exit"].startswith("was ended by signal 9")
    why = vm.run("service wait late", check=False)
    assert why.status == 1 and why.stdout == f"failed: {service(vm, 'late')['last_error']}\n"
    mute = vm.run("pid=$(pidof /usr/bin/svcd); kill -STOP $pid; service list; status=$?; kill -CONT $pid; exit $status",
                  check=False)
    assert mute.status == 1 and mute.stderr == "service: could not list: svcd does not answer\n", mute
    for command, words in (("service stop nosuch", 'no service "nosuch"'), ("service kill web SIGSPAM", "unknown signal"),
                           ("service kill never", "it is not running"), ("service frob", "unknown command")):
        failed = vm.run(command, check=False)
        assert failed.status != 0 and words in failed.stderr, failed
    # Nobody but root is listened to, even where the socket lets others in.
    stranger = vm.run("chmod 666 /run/keelson/svcd.sock; unshare -m sh -c 'mount -t tmpfs tmpfs /etc"
                      " && echo x:x:65534:65534::/:/bin/sh >/etc/passwd"
                      " && start-stop-daemon -S -n nobody-else -c 65534 -a /usr/bin/service -- list';"
                      " status=$?; chmod 600 /run/keelson/svcd.sock; exit $status", check=False)
    assert stranger.status == 1 and stranger.stdout == "" and "could not list" in stranger.stderr, stranger
    # Garbage ends its own connection: here it is HTTP/2.
    garbage = vm.run("timeout 20 ctr --connect-timeout 2s -a /run/keelson/svcd.sock version; [ $? = 1 ]")
    assert "failed to dial" in garbage.stderr, garbage
    vm.run("service list >/dev/null")


def check_health(vm):
    app = service(vm, "app")
    vm.run(f"rm /proc/{app['pid']}/root/tmp/fine")
    vm.wait_console("service app: it is unhealthy: port 8080 answers \"HTTP/1.. 404 Not Found\"; stopping it")
    vm.wait_for("service list | grep -q '^app *running.* healthy'")
    assert service(vm, "app")["restarts"] == app["restarts"] + 1


def check_strangers(vm):
    hen = service(vm, "hen")["pid"]
    vm.run(f"{CTR} task pause hen; {CTR} task resume hen")
    vm.wait_console("service hen: somebody has paused it")
    vm.run(f"{CTR} task kill -s KILL hen")
    vm.wait_console(r"service hen: it was ended by signal 9 \(Killed\), not by svcd; starting it again")
    restarted(vm, "hen", hen)
    egg = service(vm, "egg")["pid"]
    vm.run(f"{CTR} task rm -f egg || true")  # svcd may be the first to delete what ctr has killed
    restarted(vm, "egg", egg)


def check_stops(vm):
    vm.run("service stop deaf; service stop polite; service stop fugitive")
    assert service(vm, "deaf")["last_exit"] == "was ended by signal 9 (Killed)"
    assert service(vm, "polite")["last_exit"] == "exited with status 0"
    vm.wait_for("! pgrep -f 'sleep 31415'")


LOG = "/var/log/talker.out.log"


def check_flood(vm):
    vm.wait_for(f"[ $(stat -c %s {LOG}) -le 1048576 ] && cat {LOG}.0 {LOG} | grep -qx 'the end'")


def check_loss_is_counted(vm):
    """A file that grows all at once shows what is lost: it, less what is kept of it."""
    seen = len(vm.console)
    vm.run(f"truncate -s 4194305 {LOG}")
    vm.wait_console(rf"service talker: it writes more than {LOG} can hold: 2097153 bytes are lost, 2097152 are in {LOG}\.0",
                    start=seen)
    assert vm.run(f"stat -c %s {LOG} {LOG}.0").stdout == "0\n2097152\n"


def check_odd_surroundings(vm):
    """The clock is set back by decades, and there is no room for logs."""
    vm.run("date -s @1000; mount -t tmpfs -o size=4k tmpfs /var/log; cat /dev/zero >/var/log/full || true")
    vm.run("service restart db; service start polite")
    assert service(vm, "db")["state"] == "running" and service(vm, "polite")["up_ms"] < 3600000
    vm.run("umount -l /var/log")  # their logs are there


def remembered(vm):
    """What the next svcd has to know of each service."""
    known = ("restarts", "exit_status", "last_exit", "last_error", "wanted")
    return {s["name"]: {key: s[key] for key in known} for s in vm.json("service list --json")}


def check_what_is_left_over(vm):
    """A task's directory without a task; mounts of a service, and what is known of it, when its svcd is gone."""
    vm.run("service stop hen && mkdir -p /run/containerd/io.containerd.runtime.v2.task/services.linuxkit/hen/rootfs"
           " && service start hen")
    vm.wait_console("service hen: an earlier task of it was left over and is removed")
    assert service(vm, "hen")["state"] == "running"
    before = remembered(vm)
    old = vm.run("pidof /usr/bin/svcd").stdout.strip()
    vm.run(f"kill -9 {old}")
    vm.wait_for(f"service list | grep -q '^db *running' && ! pidof /usr/bin/svcd | grep -qw {old}")
    after = remembered(vm)
    # The one that never starts is tried again and again, meanwhile too: its count goes on from where it was.
    assert after["hollow"].pop("restarts") >= before["hollow"].pop("restarts") > 0
    assert after == before
    check_loss_is_counted(vm)
    vm.run("service restart db")
    assert vm.run("grep -c ' /containers/services/db/rootfs ' /proc/mounts").stdout == "1\n"


def check_the_end(vm):
    """svcd is told as PID 1 does it: who starts behind others stops before them, all others at once."""
    vm.run("service start deaf")
    deaf = service(vm, "deaf")["pid"]
    old = vm.run("pidof /usr/bin/svcd").stdout.strip()
    vm.run(f"echo {deaf} >/var/deaf; touch /var/ending; kill -TERM {old}")
    vm.wait_for(f"! kill -0 {old}")
    stops = vm.run("cat /var/stops").stdout.splitlines()
    chain = [mark for mark in stops if mark.split()[0] in ("web", "app", "db")]
    assert chain == [f"{name} {what}" for name in ("web", "app", "db") for what in ("begins", "ends")]
    # Were the grace of one that of another, then patient would be killed as deaf is, or before it: it would leave no mark.
    assert sorted(mark for mark in stops if mark not in chain) == ["egg begins", "egg ends", "hen begins", "hen ends",
                                                                   "patient ends"]


def check_without_svcd(vm):
    """Its socket is hidden: `service` talks to containerd itself."""
    hidden = "unshare -m sh -c 'mount -t tmpfs tmpfs /run/keelson && service %s polite'"
    vm.run("service stop polite; " + hidden % "start")
    assert vm.run(f"{CTR} task ls | grep -c '^polite .*RUNNING'").stdout == "1\n"
    vm.run(hidden % "restart")
    assert vm.run(f"{CTR} task ls | grep -c '^polite .*RUNNING'").stdout == "1\n"
    vm.run(hidden % "stop")
    assert "polite" not in vm.run(f"{CTR} task ls").stdout


def test_policies_commands_and_what_is_wrong(folder, build, boot):
    vm = boot(build(with_words(POLICIES, folder, REFUSED)), "--mem", "640")
    check_order(vm)
    check_ends(vm)
    check_commands(vm)
    check_health(vm)
    check_strangers(vm)
    check_stops(vm)
    check_flood(vm)
    check_loss_is_counted(vm)
    check_odd_surroundings(vm)
    check_what_is_left_over(vm)
    check_without_svcd(vm)
    check_the_end(vm)
    assert vm.poweroff() == 0


NO_CONTAINERD = BASE.replace("  - keelson/containerd:latest\n", "") + """services:
  - name: idler
    image: keelson/busybox:latest
    command: ["sleep", "1"]
"""


def test_without_containerd_svcd_says_so_and_answers(build, boot):
    vm = boot(build(NO_CONTAINERD), "--mem", "384")
    vm.wait_console(r"svcd: could not \w+ /usr/bin/containerd: .*; trying again and again")
    assert service(vm, "idler")["state"] == "stopped"
    waits = vm.run("timeout 2 service start idler; [ $? != 0 ]")
    assert re.search("svcd waits: could not .*/usr/bin/containerd", waits.stderr), waits.stderr
    assert vm.console.count("trying again and again") == 1
    assert vm.poweroff() == 0


# In place of containerd: one that never makes a socket (sleep), until the test takes it away.
HANGING = BASE + """services:
  - name: idler
    image: keelson/busybox:latest
    command: ["sleep", "100000"]
files:
  - path: usr/lib/keelson-test/sleep
    source: /bin/sleep
    mode: "0755"
  - path: etc/init.d/002-hide
    contents: |
      #!/usr/lib/keelson-test/busybox sh
      busybox=/usr/lib/keelson-test/busybox
      echo 'cliopts = "100000"' >/run/sleep.toml
      $busybox mount --bind /run/sleep.toml /etc/containerd/runtime-config.toml
      $busybox mount --bind /usr/lib/keelson-test/sleep /usr/bin/containerd
    mode: "0755"
"""


def test_a_containerd_that_hangs_or_does_not_start_is_started_anew_until_it_serves(build, boot):
    vm = boot(build(HANGING), "--mem", "512")
    hanging = vm.wait_for("pidof /usr/bin/containerd").stdout.strip()
    assert service(vm, "idler")["state"] in ("stopped", "queued")
    waits = vm.run("timeout 2 service start idler; [ $? != 0 ]")
    assert "svcd waits: containerd is starting" in waits.stderr, waits.stderr
    # The next svcd knows it by its program, and has less patience: it has had its time.
    vm.run("kill -9 $(pidof /usr/bin/svcd)")
    vm.wait_console(r"svcd: containerd does not serve on \S+, \d+ s after its start: killing it, to start it anew")
    vm.wait_for(f"new=$(pidof /usr/bin/containerd) && [ $new != {hanging} ]")
    # One that does not start: this is a program that ends at once.
    vm.run("mount --bind /usr/lib/keelson-test/busybox /usr/bin/containerd && kill -9 $(pidof /usr/bin/containerd)")
    vm.wait_console(r"svcd: containerd exited with status 127; starting it again in \d+ ms")
    assert service(vm, "idler")["state"] in ("stopped", "queued")
    vm.run("umount /usr/bin/containerd && umount /usr/bin/containerd && umount /etc/containerd/runtime-config.toml")
    vm.wait_for("service list | grep -q '^idler *running'")
    assert vm.poweroff() == 0
