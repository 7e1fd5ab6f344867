"""One HTTPS server with what git, npm, pip and cargo want: a repository and a package called `greeting` each.

Arguments: certificate and key. Prints its port.
"""

import base64
import hashlib
import http.server
import io
import json
import os
import ssl
import subprocess
import sys
import tarfile
import tempfile
import zipfile


def tarball(root, files):
    held = io.BytesIO()
    with tarfile.open(fileobj=held, mode="w:gz") as archive:
        for name, text in files.items():
            entry = tarfile.TarInfo(f"{root}/{name}")
            entry.size = len(text)
            archive.addfile(entry, io.BytesIO(text.encode()))
    return held.getvalue()


def wheel():
    info = "greeting-1.0.0.dist-info"
    files = {
        "greeting.py": "WORDS = 'hello from pip'\n",
        f"{info}/METADATA": "Metadata-Version: 2.1\nName: greeting\nVersion: 1.0.0\n",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    held = io.BytesIO()
    with zipfile.ZipFile(held, "w") as archive:
        record = ""
        for name, text in files.items():
            archive.writestr(name, text)
            digest = base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).rstrip(b"=").decode()
            record += f"{name},sha256={digest},{len(text)}\n"
        archive.writestr(f"{info}/RECORD", record + f"{info}/RECORD,,\n")
    return held.getvalue()


def git_home():
    home = tempfile.mkdtemp()
    commands = (
        "git init -q --bare work.git && git -C work.git config http.receivepack true"
        " && git init -q -b main seed && cd seed && echo hello > README && git add . "
        " && git -c user.name=S -c user.email=s@example.org commit -qm Seed && git push -q ../work.git main"
        " && git -C ../work.git symbolic-ref HEAD refs/heads/main"
    )
    subprocess.run(["bash", "-c", commands], cwd=home, check=True, stdout=sys.stderr)
    return home


BASE = "https://registry.example"
NPM = tarball(
    "package",
    {
        "package.json": '{"name": "greeting", "version": "1.0.0", "main": "index.js"}',
        "index.js": "module.exports = 'hello from npm';\n",
    },
)
CRATE = tarball(
    "greeting-1.0.0",
    {
        "Cargo.toml": '[package]\nname = "greeting"\nversion = "1.0.0"\nedition = "2021"\n',
        "src/lib.rs": 'pub const WORDS: &str = "hello from cargo";\n',
    },
)
WHEEL = wheel()
HOME = git_home()
FILES = {
    "/npm/greeting": json.dumps(
        {
            "name": "greeting",
            "dist-tags": {"latest": "1.0.0"},
            "versions": {
                "1.0.0": {
                    "name": "greeting",
                    "version": "1.0.0",
                    "dist": {
                        "tarball": f"{BASE}/npm/greeting.tgz",
                        "integrity": "sha512-" + base64.b64encode(hashlib.sha512(NPM).digest()).decode(),
                    },
                }
            },
        }
    ).encode(),
    "/npm/greeting.tgz": NPM,
    "/pip/greeting/": b'<a href="/pip/greeting-1.0.0-py3-none-any.whl">greeting</a>',
    "/pip/greeting-1.0.0-py3-none-any.whl": WHEEL,
    "/cargo/config.json": json.dumps({"dl": f"{BASE}/cargo/crates"}).encode(),
    "/cargo/gr/ee/greeting": json.dumps(
        {
            "name": "greeting",
            "vers": "1.0.0",
            "deps": [],
            "cksum": hashlib.sha256(CRATE).hexdigest(),
            "features": {},
            "yanked": False,
        }
    ).encode()
    + b"\n",
    "/cargo/crates/greeting/1.0.0/download": CRATE,
}


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def answer(self, status, headers, body):
        self.send_response(status)
        for name, value in headers:
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def body(self):
        if self.headers.get("Transfer-Encoding", "").lower() != "chunked":
            return self.rfile.read(int(self.headers.get("Content-Length", 0)))
        held = b""
        while size := int(self.rfile.readline().split(b";")[0], 16):
            held += self.rfile.read(size)
            self.rfile.readline()
        while self.rfile.readline().strip():
            pass
        return held

    def git(self, path, query):
        body = self.body()
        environment = {
            "PATH": os.environ["PATH"],
            "GIT_PROJECT_ROOT": HOME,
            "GIT_HTTP_EXPORT_ALL": "1",
            "REQUEST_METHOD": self.command,
            "PATH_INFO": path.removeprefix("/git"),
            "QUERY_STRING": query,
            "CONTENT_TYPE": self.headers.get("Content-Type", ""),
            "CONTENT_LENGTH": str(len(body)),
            "HTTP_CONTENT_ENCODING": self.headers.get("Content-Encoding", ""),
            "GIT_PROTOCOL": self.headers.get("Git-Protocol", ""),
            "REMOTE_USER": "tester",
        }
        ran = subprocess.run(["git", "http-backend"], env=environment, input=body, capture_output=True)
        head, _, rest = ran.stdout.partition(b"\r\n\r\n")
        headers = [line.decode().split(": ", 1) for line in head.split(b"\r\n")]
        status = next((int(value[:3]) for name, value in headers if name == "Status"), 200)
        self.answer(status, [pair for pair in headers if pair[0] != "Status"], rest)

    def respond(self):
        path, _, query = self.path.partition("?")
        if path.startswith("/git/"):
            return self.git(path, query)
        self.body()
        found = FILES.get(path)
        kind = "text/html" if path.endswith("/") else "application/json"
        return self.answer(200 if found else 404, [("Content-Type", kind)], found or b"none")

    do_GET = do_POST = respond


context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain(*sys.argv[1:3])
server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
server.daemon_threads = True
server.socket = context.wrap_socket(server.socket, server_side=True)
print(server.server_port, flush=True)
server.serve_forever()
