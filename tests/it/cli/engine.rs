//! Docker engines that are none, or not quite: sockets of a trial's own.

use std::{
    fs,
    io::{self, BufRead, BufReader, Read, Write},
    net::Shutdown,
    os::unix::{
        fs::PermissionsExt,
        net::{UnixListener, UnixStream},
    },
    path::PathBuf,
    thread,
};

use tempfile::TempDir;

/// What to say of a registry that cannot be reached, as the engine puts it.
const NO_REGISTRY: &str = r#"{"message":"Get \"https://registry-1.docker.io/v2/\": dial tcp: lookup registry-1.docker.io: no such host"}"#;

/// A socket that listens as long as this lives.
pub struct Engine {
    dir: TempDir,
}

impl Engine {
    /// Takes every call, and never answers.
    pub fn deaf() -> Self {
        Self::listening(|call| {
            let _ = BufReader::new(&call).lines().count();
        })
    }

    /// Answers, has no image, and reaches no registry.
    pub fn without_images() -> Self {
        Self::listening(|call| answer(call, Some(NO_REGISTRY)))
    }

    /// Answers, has no image, and waits for a registry for ever.
    pub fn with_a_registry_that_hangs() -> Self {
        Self::listening(|call| answer(call, None))
    }

    /// The one that runs here, but for one thing: no container may change its
    /// network. A capability that is asked for is another one on its way.
    pub fn without_net_admin() -> Self {
        Self::listening(|call| {
            // A caller that is gone needs no answer.
            let _ = relay(call);
        })
    }

    /// A socket that nobody may open (but root).
    pub fn forbidden() -> Self {
        let engine = Self::deaf();
        let _ = fs::set_permissions(
            engine.socket(),
            fs::Permissions::from_mode(0o000),
        );
        engine
    }

    fn listening(
        on_call: impl Fn(UnixStream) + Clone + Send + 'static,
    ) -> Self {
        let dir = tempfile::tempdir().expect("a temporary directory");
        // Another user than ours must be able to find the socket.
        fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o755))
            .expect("our own directory");
        let engine = Self { dir };
        let listener =
            UnixListener::bind(engine.socket()).expect("a socket of our own");
        // Ends with the tests.
        thread::spawn(move || {
            for call in listener.incoming().map_while(Result::ok) {
                let on_call = on_call.clone();
                thread::spawn(move || on_call(call));
            }
        });
        engine
    }

    fn socket(&self) -> PathBuf {
        self.dir.path().join("docker.sock")
    }

    /// As `DOCKER_HOST` names it.
    pub fn host(&self) -> String {
        format!("unix://{}", self.socket().display())
    }
}

/// One request, one answer, and the connection is closed.
fn answer(mut call: UnixStream, pull: Option<&str>) {
    let mut lines = BufReader::new(&call).lines().map_while(Result::ok);
    let request = lines.next().unwrap_or_default();
    // The headers; nobody here reads a body.
    lines.by_ref().take_while(|line| !line.is_empty()).for_each(drop);
    drop(lines);
    let path = request.split(' ').nth(1).unwrap_or_default();
    let (status, body) = if path.ends_with("/_ping") {
        ("200 OK", "OK")
    } else if path.ends_with("/version") {
        (
            "200 OK",
            r#"{"Version":"0.0","ApiVersion":"1.41","MinAPIVersion":"1.12"}"#,
        )
    } else if path.contains("/images/create") {
        match pull {
            Some(why) => ("500 Internal Server Error", why),
            None => loop {
                thread::park();
            },
        }
    } else if path.contains("/containers/json") || path.contains("/networks") {
        ("200 OK", "[]")
    } else if path.ends_with("/info") {
        ("200 OK", "{}")
    } else {
        ("404 Not Found", r#"{"message":"No such image"}"#)
    };
    let length = body.len();
    // A caller that is gone needs no answer.
    let _ = write!(
        call,
        "HTTP/1.1 {status}\r\nApi-Version: 1.41\r\nOstype: linux\r\n\
         Content-Type: application/json\r\nContent-Length: {length}\r\n\
         Connection: close\r\n\r\n{body}"
    );
}

const ASKED: &[u8] = b"NET_ADMIN";
/// As long, and of no use to change a network.
const GRANTED: &[u8] = b"IPC_OWNER";
const _: () = assert!(ASKED.len() == GRANTED.len());

/// Hands a call on to the engine that runs here, and its answer back.
fn relay(call: UnixStream) -> io::Result<()> {
    let host = std::env::var("DOCKER_HOST").unwrap_or_default();
    let socket = host.strip_prefix("unix://").unwrap_or(HERE);
    let engine = UnixStream::connect(socket)?;
    let (mut answer, mut caller) = (engine.try_clone()?, call.try_clone()?);
    let back = thread::spawn(move || {
        let _ = io::copy(&mut answer, &mut caller);
        let _ = caller.shutdown(Shutdown::Write);
    });
    hand_on(&call, &engine)?;
    engine.shutdown(Shutdown::Write)?;
    let _ = back.join();
    Ok(())
}

const HERE: &str = "/var/run/docker.sock";

fn hand_on(mut from: &UnixStream, mut to: &UnixStream) -> io::Result<()> {
    let mut held = Vec::new();
    let mut read = [0; 16_384];
    loop {
        let many = from.read(&mut read)?;
        held.extend_from_slice(&read[..many]);
        while let Some(at) = find(&held, ASKED) {
            held[at..at + ASKED.len()].copy_from_slice(GRANTED);
        }
        let rest = if many == 0 { 0 } else { begun(&held, ASKED) };
        let ready = held.len() - rest;
        to.write_all(&held[..ready])?;
        held.drain(..ready);
        if many == 0 {
            return Ok(());
        }
    }
}

fn find(all: &[u8], one: &[u8]) -> Option<usize> {
    all.windows(one.len()).position(|window| window == one)
}

/// How many octets at the end may be the beginning of this.
fn begun(all: &[u8], one: &[u8]) -> usize {
    (1..one.len()).rev().find(|n| all.ends_with(&one[..*n])).unwrap_or(0)
}
