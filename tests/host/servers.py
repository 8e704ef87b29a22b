# SPDX-License-Identifier: Apache-2.0
"""A registry on loopback, and a proxy in front of it that breaks what it is told to break."""
import base64
import crypt
import http.client
import os
import re
import shutil
import signal
import socket
import ssl
import subprocess
import threading
import time
import urllib.parse
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

DEADLINE_SECONDS = 30
REPO = Path(__file__).resolve().parent.parent.parent
# `make deps` unpacks it and does not install it: the package's service would start on this machine.
DOCKER_REGISTRY = shutil.which("docker-registry", path=f"{REPO}/build/unpacked/usr/bin:{os.environ['PATH']}")


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def make_certificate(folder, name, alt):
    """A self-signed certificate for `alt` ("IP:127.0.0.1", "DNS:x"); returns (certificate, key)."""
    cert, key = folder / f"{name}.crt", folder / f"{name}.key"
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
                    "-days", "2", "-subj", f"/CN={name}", "-addext", f"subjectAltName={alt}", "-keyout", str(key),
                    "-out", str(cert)], check=True, capture_output=True)
    return cert, key


class Registry:
    """Debian's docker-registry, with TLS if there is a certificate and a login if there are users."""

    def __init__(self, folder, certificate=None, users=None):
        self.folder = Path(folder)
        self.folder.mkdir(parents=True)
        self.host = f"127.0.0.1:{free_port()}"
        lines = ["version: 0.1", "log: {level: error, accesslog: {disabled: true}}",
                 f"storage: {{filesystem: {{rootdirectory: {self.folder}/data}}}}",
                 f"http: {{addr: '{self.host}'" + (f", tls: {{certificate: {certificate[0]}, key: {certificate[1]}}}}}"
                                                   if certificate else "}")]
        if users:
            passwords = "".join(f"{u}:{crypt.crypt(p, crypt.mksalt(crypt.METHOD_BLOWFISH, rounds=16))}\n"
                                for u, p in users.items())
            (self.folder / "htpasswd").write_text(passwords)
            lines.append(f"auth: {{htpasswd: {{realm: test, path: {self.folder}/htpasswd}}}}")
        (self.folder / "config.yml").write_text("\n".join(lines) + "\n")
        assert DOCKER_REGISTRY, "there is no docker-registry: make deps"
        with open(self.folder / "log", "wb") as log:
            self.process = subprocess.Popen([DOCKER_REGISTRY, "serve", str(self.folder / "config.yml")], stdout=log,
                                            stderr=log)
        self._wait()

    def _wait(self):
        end = time.monotonic() + DEADLINE_SECONDS
        address = self.host.split(":")
        while True:
            try:
                socket.create_connection((address[0], int(address[1])), 1).close()
                return
            except OSError:
                assert self.process.poll() is None, (self.folder / "log").read_text()
                assert time.monotonic() < end, "the registry does not listen"
                time.sleep(0.05)

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(DEADLINE_SECONDS)


class Fault:
    """What happens to requests whose "METHOD PATH" matches, `times` times (None: always)."""

    def __init__(self, pattern, action, times=None):
        self.pattern, self.action, self.left = re.compile(pattern), action, times

    def takes(self, line):
        if self.left == 0 or not self.pattern.search(line):
            return False
        if self.left is not None:
            self.left -= 1
        return True


class Proxy:
    """Forwards to a registry; `seen` has every request line, `headers` the Authorization that came with it."""

    def __init__(self, upstream, certificate=None, token_for=None, name=None):
        self.upstream, self.faults, self.seen, self.headers = upstream, [], [], []
        self.lock = threading.Lock()
        self.token_for = token_for  # "user:password" for the token server; None: no tokens
        self.tokens = set()
        proxy = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *_):
                pass

            def answer(self, status, headers=(), body=b""):
                self.send_response(status)
                for key, value in dict(headers).items():
                    self.send_header(key, value)
                if "Content-Length" not in dict(headers):
                    self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                if self.command != "HEAD":
                    self.wfile.write(body)

            def forward(self):
                """(status, headers, body) of the registry."""
                body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                conn = http.client.HTTPConnection(proxy.upstream, timeout=DEADLINE_SECONDS)
                keep = {k: v for k, v in self.headers.items() if k.lower() not in ("authorization", "connection")}
                conn.request(self.command, self.path, body=body, headers=keep)
                reply = conn.getresponse()
                data = reply.read()
                headers = {k: v for k, v in reply.getheaders()
                           if k.lower() not in ("transfer-encoding", "connection")}
                headers.setdefault("Content-Length", str(len(data)))
                conn.close()
                return reply.status, headers, data

            def give_token(self):
                wanted = "Basic " + base64.b64encode(proxy.token_for.encode()).decode()
                if self.headers.get("Authorization") != wanted:
                    return self.answer(401, {}, b'{"errors":[{"message":"who is that?"}]}')
                token = f"t{len(proxy.tokens)}"
                proxy.tokens.add(token)
                return self.answer(200, {"Content-Type": "application/json"}, b'{"token":"%s"}' % token.encode())

            def challenge(self):
                """Tokens are what is wanted; that there is a second way must not mislead anybody."""
                self.send_response(401)
                self.send_header("WWW-Authenticate", f'Bearer realm="{proxy.url}/token",service="test"')
                self.send_header("WWW-Authenticate", 'Basic realm="test"')
                self.send_header("Content-Length", "0")
                self.end_headers()

            def handle_any(self):
                line = f"{self.command} {self.path}"
                with proxy.lock:
                    proxy.seen.append(line)
                    proxy.headers.append(self.headers.get("Authorization"))
                    fault = next((f for f in proxy.faults if f.takes(line)), None)
                if proxy.token_for and self.path.startswith("/token"):
                    return self.give_token()
                if proxy.token_for and self.headers.get("Authorization", "").removeprefix("Bearer ") not in proxy.tokens:
                    return self.challenge()
                if fault:
                    return fault.action(self)
                return self.answer(*self.forward())

            do_GET = do_HEAD = do_POST = do_PUT = do_PATCH = handle_any

            def handle(self):
                try:
                    super().handle()
                except (ConnectionError, ssl.SSLError):
                    pass  # the client had enough: that is what some tests are about

        class Server(ThreadingHTTPServer):
            daemon_threads = True
            request_queue_size = 128

            def handle_error(self, *_):
                pass

        self.server = Server(("127.0.0.1", 0), Handler)
        self.host = f"127.0.0.1:{self.server.server_address[1]}"
        self.url = ("https://" if certificate else "http://") + (name or self.host)
        if certificate:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(*map(str, certificate))
            self.server.socket = context.wrap_socket(self.server.socket, server_side=True, do_handshake_on_connect=False)
        self.thread = threading.Thread(target=self.server.serve_forever, daemon=True)
        self.thread.start()

    def count(self, pattern):
        return sum(bool(re.search(pattern, line)) for line in self.seen)

    def stop(self):
        self.server.shutdown()
        self.server.server_close()


class ForwardProxy:
    """What http_proxy and https_proxy name. It alone knows where `hosts` ("NAME:PORT" -> address) are; `seen` has the
    request lines that reached it, `authorization` what came with a CONNECT for the server behind it."""

    def __init__(self, hosts, login=None):
        self.hosts, self.seen, self.authorization = hosts, [], []
        proxy = self
        wanted = login and "Basic " + base64.b64encode(login.encode()).decode()

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *_):
                pass

            def upstream(self, name):
                """The address behind a name; None: the refusal was sent."""
                proxy.seen.append(f"{self.command} {self.path}")
                if wanted and self.headers.get("Proxy-Authorization") != wanted:
                    self.send_error(407)
                elif name not in proxy.hosts:
                    self.send_error(502)
                else:
                    return proxy.hosts[name]
                return None

            def do_CONNECT(self):
                proxy.authorization.append(self.headers.get("Authorization"))
                address = self.upstream(self.path)
                if not address:
                    return
                host, port = address.split(":")
                with socket.create_connection((host, int(port)), DEADLINE_SECONDS) as other:
                    self.send_response(200)
                    self.end_headers()
                    pump = threading.Thread(target=copy_stream, args=(other, self.connection), daemon=True)
                    pump.start()
                    copy_stream(self.connection, other)
                    pump.join(DEADLINE_SECONDS)
                self.close_connection = True

            def do_GET(self):
                url = urllib.parse.urlsplit(self.path)
                address = self.upstream(url.netloc)
                if not address:
                    return
                conn = http.client.HTTPConnection(address, timeout=DEADLINE_SECONDS)
                conn.request(self.command, url.path, headers={"Accept": self.headers.get("Accept", "*/*")})
                reply = conn.getresponse()
                body = reply.read()
                self.send_response(reply.status)
                for key in ("Content-Type", "WWW-Authenticate"):
                    if reply.getheader(key):
                        self.send_header(key, reply.getheader(key))
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)
                conn.close()

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.host = f"127.0.0.1:{self.server.server_address[1]}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def stop(self):
        self.server.shutdown()
        self.server.server_close()


def copy_stream(source, sink):
    """Until the source is at its end; then the sink learns of that."""
    try:
        while data := source.recv(65536):
            sink.sendall(data)
        sink.shutdown(socket.SHUT_WR)
    except OSError:
        pass


# --- actions of a fault ---

def status(code, **headers):
    headers = {k.replace("_", "-"): v for k, v in headers.items()}
    return lambda h: h.answer(code, headers, b'{"errors":[{"code":"X","message":"on purpose"}]}')


def half(handler):
    """Half of the body, and the connection is gone."""
    code, headers, body = handler.forward()
    handler.send_response(code)
    for key, value in headers.items():
        handler.send_header(key, value)
    handler.end_headers()
    handler.wfile.write(body[:len(body) // 2])
    handler.wfile.flush()
    handler.close_connection = True


def in_pieces(handler):
    """Twenty pieces, half a second."""
    code, headers, body = handler.forward()
    handler.send_response(code)
    for key, value in headers.items():
        handler.send_header(key, value)
    handler.end_headers()
    for at in range(0, len(body), len(body) // 20 + 1):
        handler.wfile.write(body[at:at + len(body) // 20 + 1])
        handler.wfile.flush()
        time.sleep(0.025)


def whole(handler):
    """A server that cannot resume, whatever it is asked for."""
    del handler.headers["Range"]
    handler.answer(*handler.forward())


def in_turn(*actions):
    """For each address the first, then the next, and at last the last again and again."""
    seen = {}

    def act(handler):
        at = seen[handler.path] = seen.get(handler.path, -1) + 1
        return actions[min(at, len(actions) - 1)](handler)
    return act


def flipped(handler):
    """One byte is another."""
    code, headers, body = handler.forward()
    handler.answer(code, headers, body[:-1] + bytes([body[-1] ^ 1]))


def too_long(handler):
    code, headers, body = handler.forward()
    headers["Content-Length"] = str(len(body) + 10)
    handler.answer(code, headers, body + b"0123456789")


def endless(handler):
    """10 GB, unless the client stops."""
    handler.send_response(200)
    handler.send_header("Content-Type", "application/vnd.oci.image.manifest.v1+json")
    handler.send_header("Content-Length", str(10 << 30))
    handler.end_headers()
    try:
        for _ in range(10 << 10):
            handler.wfile.write(b" " * (1 << 20))
    except OSError:
        handler.close_connection = True


def round_and_round(handler):
    handler.answer(307, {"Location": handler.path})


def redirect_to(base):
    return lambda h: h.answer(307, {"Location": base + h.path})
