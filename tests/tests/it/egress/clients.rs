//! Programs that people use, unmodified, from inside a box: each finds its way out by itself,
//! whether it knows of proxies or not. One that is not on this machine is named aloud.

use std::path::Path;
use std::process::Command;

use aegis_world::SecureWeb;
use base64::Engine as _;
use serde_json::{Value, json};

use super::{Place, place};

/// What every client needs: the authority of the world, and a way to run something.
const CLIENT: &str = r#"
import subprocess
open("ca.pem", "w").write(given["ca"])
def run(*command, stdin=None, **more):
    env = {**os.environ, "GIT_SSL_CAINFO": "/workspace/ca.pem", "NODE_EXTRA_CA_CERTS": "/workspace/ca.pem",
        "SSL_CERT_FILE": "/workspace/ca.pem", "GIT_TERMINAL_PROMPT": "0", "PGCONNECT_TIMEOUT": "10", **more}
    try:
        done = subprocess.run(command, input=stdin, capture_output=True, text=True, timeout=60, env=env)
        return [done.returncode, done.stdout, done.stderr]
    except Exception as error:
        return [-1, "", str(error)]
"#;

fn on_this_machine(program: &str) -> bool {
    let found = Command::new("sh").args(["-c", &format!("command -v {program}")]).output().unwrap();
    if !found.status.success() {
        eprintln!("SKIPPED: `{program}` is not installed here");
    }
    found.status.success()
}

impl Place {
    fn client(&self, code: &str) -> Value {
        let given =
            json!({"input": {"code": format!("{}\n{CLIENT}\n{code}", super::TOOLS), "ca": self.world.ca_pem()}});
        let answer = it::runs::invoke(&self.server, "client", &given);
        let outcome = it::runs::outcome(&answer);
        assert_eq!(outcome["status"], "succeeded", "{}", answer.text);
        outcome["output"].clone()
    }
}

#[track_caller]
fn succeeded(done: &Value, says: &str) {
    let all = format!("{}{}", done[1].as_str().unwrap_or_default(), done[2].as_str().unwrap_or_default());
    assert!(done[0] == 0 && all.contains(says), "{done}");
}

#[track_caller]
fn refused(done: &Value) {
    assert_ne!(done[0], 0, "{done}");
}

fn served(web: &SecureWeb, path: &str, kind: &str, body: &[u8]) {
    let head = format!(
        "HTTP/1.1 200 OK\r\nContent-Type: {kind}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
        body.len()
    );
    web.web().answer(path, [head.as_bytes(), body].concat());
}

#[test]
fn curl_python_and_node_reach_what_is_granted_and_say_what_is_not() {
    let Some(place) = place() else { return };
    place.world.names().set_addresses("api.example.com", &["20.0.0.1"]);
    let web = place.world.secure_web("20.0.0.1", 443, &["api.example.com"]);
    place.deploy("client", json!([{"host": "api.example.com", "ports": [443]}]));
    if on_this_machine("curl") {
        let told = place.client(
            r#"
url = "https://api.example.com/echo"
result = {
    "proxy": run("curl", "-sS", "--cacert", "ca.pem", url),
    "direct": run("curl", "-sS", "--cacert", "ca.pem", "--noproxy", "*", url),
    "socks": run("curl", "-sS", "--cacert", "ca.pem", "--proxy", "socks5h://127.0.0.1:7702", url),
    "refused": run("curl", "-sS", "https://other.example.com/"),
    "refused_direct": run("curl", "-sS", "--noproxy", "*", "https://other.example.com/"),
}
"#,
        );
        for way in ["proxy", "direct", "socks"] {
            succeeded(&told[way], "\"/echo\"");
        }
        refused(&told["refused"]);
        assert!(told["refused"][2].as_str().unwrap().contains("403"), "{told}");
        refused(&told["refused_direct"]);
    }
    let told = place.client(
        r#"
import http.client
context = ssl.create_default_context(cafile="ca.pem")
opener = urllib.request.build_opener(urllib.request.HTTPSHandler(context=context))
line = http.client.HTTPSConnection("api.example.com", context=context, timeout=10)
line.request("GET", "/echo")
result = [opener.open("https://api.example.com/echo", timeout=10).status, line.getresponse().status]
"#,
    );
    assert_eq!(told, json!([200, 200]));
    if on_this_machine("node") {
        let told = place.client(
            r#"
code = "fetch(process.argv[1]).then(async a => console.log(a.status, await a.text())).catch(e => { console.error(String(e.cause || e)); process.exit(1) })"
result = {
    "granted": run("node", "-e", code, "https://api.example.com/echo"),
    "refused": run("node", "-e", code, "https://other.example.com/"),
}
"#,
        );
        succeeded(&told["granted"], "200");
        refused(&told["refused"]);
        assert!(told["refused"][2].as_str().unwrap().contains("ENOTFOUND"), "{told}");
    }
    assert!(web.server_names().iter().all(|name| name.as_deref() == Some("api.example.com")));
}

/// A repository that can be fetched as files.
fn repository(home: &Path) -> Vec<(String, Vec<u8>)> {
    let work = home.join("work");
    std::fs::create_dir_all(&work).unwrap();
    std::fs::write(work.join("README"), "hello from outside\n").unwrap();
    let git = |arguments: &[&str]| {
        let done = Command::new("git").arg("-C").arg(&work).args(arguments).env("HOME", home).output().unwrap();
        assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    };
    git(&["init", "-q", "-b", "main"]);
    git(&["-c", "user.name=a", "-c", "user.email=a@b.c", "add", "."]);
    git(&["-c", "user.name=a", "-c", "user.email=a@b.c", "commit", "-q", "-m", "first"]);
    git(&["update-server-info"]);
    let mut files = Vec::new();
    let mut places = vec![work.join(".git")];
    while let Some(next) = places.pop() {
        for entry in std::fs::read_dir(next).unwrap().map(Result::unwrap) {
            if entry.file_type().unwrap().is_dir() {
                places.push(entry.path());
            } else {
                let path = entry.path().strip_prefix(work.join(".git")).unwrap().to_string_lossy().into_owned();
                files.push((path, std::fs::read(entry.path()).unwrap()));
            }
        }
    }
    files
}

#[test]
fn git_pip_and_npm_fetch_what_is_granted() {
    let Some(place) = place() else { return };
    for (name, address) in
        [("git.example.com", "20.0.0.1"), ("pip.example.com", "20.0.0.2"), ("npm.example.com", "20.0.0.3")]
    {
        place.world.names().set_addresses(name, &[address]);
    }
    let hosts: Vec<Value> = ["git", "pip", "npm"]
        .iter()
        .map(|host| json!({"host": format!("{host}.example.com"), "ports": [443]}))
        .collect();
    place.deploy("client", json!(hosts));
    if on_this_machine("git") {
        let web = place.world.secure_web("20.0.0.1", 443, &["git.example.com"]);
        for (path, bytes) in repository(place.server.home()) {
            served(&web, &format!("/repo.git/{path}"), "application/octet-stream", &bytes);
            served(&web, &format!("/repo.git/{path}?service=git-upload-pack"), "text/plain", &bytes);
        }
        let told = place.client(
            r#"result = {"clone": run("git", "clone", "-q", "https://git.example.com/repo.git", "repo"), "file": open("repo/README").read() if os.path.exists("repo/README") else None,
            "refused": run("git", "clone", "-q", "https://other.example.com/repo.git", "other")}"#,
        );
        assert_eq!(told["file"], "hello from outside\n", "{told}");
        refused(&told["refused"]);
    }
    if on_this_machine("pip3") {
        let web = place.world.secure_web("20.0.0.2", 443, &["pip.example.com"]);
        let wheel = wheel();
        served(
            &web,
            "/simple/hello/",
            "text/html",
            b"<a href=\"/hello-1.0-py3-none-any.whl\">hello-1.0-py3-none-any.whl</a>",
        );
        served(&web, "/hello-1.0-py3-none-any.whl", "application/zip", &wheel);
        let told = place.client(
            r#"result = run("pip3", "download", "--no-deps", "--disable-pip-version-check", "--cert", "ca.pem", "--index-url", "https://pip.example.com/simple", "hello")"#,
        );
        succeeded(&told, "Successfully downloaded hello");
    }
    if on_this_machine("npm") {
        let web = place.world.secure_web("20.0.0.3", 443, &["npm.example.com"]);
        let about = json!({"name": "hello", "dist-tags": {"latest": "1.0.0"}, "versions": {"1.0.0": {
            "name": "hello", "version": "1.0.0", "dist": {"tarball": "https://npm.example.com/hello-1.0.0.tgz"}}}});
        served(&web, "/hello", "application/json", about.to_string().as_bytes());
        served(&web, "/hello-1.0.0.tgz", "application/octet-stream", &package());
        let told = place.client(
            r#"result = [run("npm", "install", "--no-audit", "--no-fund", "--cafile", "ca.pem", "--registry", "https://npm.example.com/", "hello"), os.path.exists("node_modules/hello/package.json")]"#,
        );
        assert_eq!(told[1], true, "{told}");
    }
}

/// A wheel with one module.
fn wheel() -> Vec<u8> {
    let script = "import io,sys,zipfile\nb=io.BytesIO()\nz=zipfile.ZipFile(b,'w')\nz.writestr('hello.py','')\nz.writestr('hello-1.0.dist-info/METADATA','Metadata-Version: 2.1\\nName: hello\\nVersion: 1.0\\n')\nz.writestr('hello-1.0.dist-info/WHEEL','Wheel-Version: 1.0\\nGenerator: t\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n')\nz.writestr('hello-1.0.dist-info/RECORD','')\nz.close()\nsys.stdout.buffer.write(b.getvalue())";
    Command::new("python3").args(["-c", script]).output().unwrap().stdout
}

/// A package with nothing in it.
fn package() -> Vec<u8> {
    let script = "import io,sys,tarfile\nb=io.BytesIO()\nt=tarfile.open(fileobj=b,mode='w:gz')\nd=b'{\"name\":\"hello\",\"version\":\"1.0.0\"}'\ni=tarfile.TarInfo('package/package.json');i.size=len(d)\nt.addfile(i,io.BytesIO(d))\nt.close()\nsys.stdout.buffer.write(b.getvalue())";
    Command::new("python3").args(["-c", script]).output().unwrap().stdout
}

#[test]
fn psql_and_ssh_reach_a_private_range_that_is_named() {
    let Some(place) = place() else { return };
    place.world.names().set_addresses("db.internal.example", &["10.20.0.5"]);
    place.world.names().set_addresses("shell.internal.example", &["10.20.0.6"]);
    place.deploy(
        "client",
        json!([
            {"host": "db.internal.example", "ports": [5432], "protocol": "tcp", "cidr": "10.20.0.0/16"},
            {"host": "shell.internal.example", "ports": [22], "protocol": "tcp", "cidr": "10.20.0.0/16"},
        ]),
    );
    let database = Path::new("/var/run/postgresql/.s.PGSQL.5432");
    if on_this_machine("psql") && database.exists() {
        let service = place.world.relay("10.20.0.5", 5432, database);
        let told = place.client(
            r#"result = run("psql", "-h", "db.internal.example", "-U", "postgres", "-Atc", "select 6*7", PGSSLMODE="disable")"#,
        );
        assert!(service.connections() > 0, "{told}");
        // Whom the database lets in is its own affair: that it answered is what counts.
        let said = format!("{}{}", told[1].as_str().unwrap(), told[2].as_str().unwrap());
        assert!(said.contains("42") || said.contains("FATAL"), "{told}");
    } else {
        eprintln!("SKIPPED: no PostgreSQL here");
    }
    if on_this_machine("ssh") && on_this_machine("ssh-keygen") && Path::new("/usr/sbin/sshd").exists() {
        shell(&place);
    } else {
        eprintln!("SKIPPED: no ssh here");
    }
}

fn shell(place: &Place) {
    let home = place.server.home().join("sshd");
    std::fs::create_dir_all(&home).unwrap();
    std::fs::create_dir_all("/run/sshd").unwrap();
    for name in ["host", "client"] {
        let made =
            Command::new("ssh-keygen").args(["-q", "-t", "ed25519", "-N", "", "-f"]).arg(home.join(name)).status();
        assert!(made.unwrap().success());
    }
    std::fs::copy(home.join("client.pub"), home.join("authorized")).unwrap();
    let config = format!(
        "ListenAddress 10.20.0.6\nHostKey {0}/host\nAuthorizedKeysFile {0}/authorized\nStrictModes no\nPasswordAuthentication no\nUsePAM no\nPidFile none\nPermitRootLogin yes\n",
        home.display()
    );
    std::fs::write(home.join("config"), config).unwrap();
    place.world.add_address("10.20.0.6");
    let mut sshd = Command::new("/usr/sbin/sshd");
    sshd.arg("-D").arg("-f").arg(home.join("config"));
    let _running = place.world.run_outside(&mut sshd).unwrap();
    let key = base64::engine::general_purpose::STANDARD.encode(std::fs::read(home.join("client")).unwrap());
    let told = place.client(&format!(
        r#"
import base64
open("key", "wb").write(base64.b64decode("{key}"))
os.chmod("key", 0o600)
for attempt in range(20):
    result = run("ssh", "-F", "none", "-i", "key", "-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/workspace/known", "-o", "BatchMode=yes", "root@shell.internal.example", "echo out there")
    if result[0] == 0: break
    time.sleep(0.2)
"#
    ));
    succeeded(&told, "out there");
}
