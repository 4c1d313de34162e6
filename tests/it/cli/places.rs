//! Places in which the program cannot do its work: no Docker, no image, no
//! room. Each ends with 3 and a sentence that a person can act on.

use std::{
    fs,
    os::unix::fs::{PermissionsExt, symlink},
    path::{Path, PathBuf},
    process::Command,
};

use libtest_mimic::Trial;
use tempfile::TempDir;

use super::{asked::Asked, engine::Engine};
use crate::shared::binary;

/// The cheapest scenario there is.
const DEMO: &str = "demo idempotency/concurrent --no-predict";

fn demo() -> Asked {
    Asked::to(DEMO).exits(3)
}

pub fn trials() -> Vec<Trial> {
    [docker(), powerless(), images(), state(), full_disks(), languages()]
        .into_iter()
        .flatten()
        .collect()
}

fn docker() -> Vec<Trial> {
    let deaf = Engine::deaf();
    let deaf_again = Engine::deaf();
    let homeless = tempfile::tempdir().expect("a place");
    let mut trials = vec![
        demo()
            .with("DOCKER_HOST", "unix:///nowhere.sock")
            .says_nothing()
            .says_on_stderr(
                "error: no Docker engine answers at unix:///nowhere.sock: \
                 Socket not found: /nowhere.sock\n",
            )
            .and("\n  help: start it: sudo systemctl start docker\n")
            .and("\n  help: install one: scripts/setup --only docker\n")
            .named("a_docker_socket_that_is_not_there"),
        demo()
            .with("DOCKER_HOST", "tcp://127.0.0.1:1")
            .says_nothing()
            .says_on_stderr(
                "error: no Docker engine answers at tcp://127.0.0.1:1: \
                 Connection refused\n",
            )
            .named("a_docker_port_that_nobody_listens_to"),
        demo()
            .with("DOCKER_HOST", "under the stairs")
            .says_on_stderr("error: no Docker engine answers at under the")
            .and("help: elsewhere: set DOCKER_HOST, for example unix:///")
            .named("a_docker_host_that_is_no_address"),
        demo()
            .with("DOCKER_HOST", "")
            .says_on_stderr("error: DOCKER_HOST is set, and empty\n")
            .and("  help: unset DOCKER_HOST\n")
            .named("a_docker_host_that_is_empty"),
        demo()
            .with("DOCKER_HOST", deaf.host())
            .within(12)
            .says_on_stderr("it does not answer within 5 s\n")
            .while_there_is(deaf)
            .named("a_docker_engine_that_takes_the_call_and_says_nothing"),
        demo()
            .with("DOCKER_HOST", deaf_again.host())
            .with("LANG", "zh_CN.UTF-8")
            .within(12)
            .says_on_stderr("错误: unix:///")
            .and("上没有 Docker 引擎应答：5 秒内没有应答\n")
            .and("\n  办法: 启动：sudo systemctl start docker\n")
            .while_there_is(deaf_again)
            .named("the_same_in_chinese"),
        Asked::to("doctor")
            .with("DOCKER_HOST", "unix:///nowhere.sock")
            .says("✗ amiss Docker: no Docker engine answers at unix:///")
            .and("start it: sudo systemctl start docker\n")
            .and("ok memory")
            .whose_findings_decide()
            .named("the_doctor_finds_no_docker_and_looks_on"),
        Asked::to("clean")
            .exits(3)
            .with("DOCKER_HOST", "unix:///nowhere.sock")
            .says_on_stderr("error: no Docker engine answers at")
            .named("clean_without_docker"),
        Asked::to("images")
            .exits(3)
            .with("DOCKER_HOST", "unix:///nowhere.sock")
            .says_on_stderr("error: no Docker engine answers at")
            .named("images_without_docker"),
        demo()
            .with("DOCKER_HOST", "unix:///nowhere.sock")
            .without("HOME")
            .without("RMQ_LAB_STATE")
            .with("XDG_STATE_HOME", homeless.path())
            .while_there_is(homeless)
            .says_on_stderr("error: no Docker engine answers at")
            .named("no_docker_and_no_home_either"),
    ];
    let forbidden = Engine::forbidden();
    let host = forbidden.host();
    let nobody = Nobody::new();
    let name = "a_docker_socket_that_we_may_not_open";
    trials.push(match nobody.can_be() {
        true => nobody
            .asks(DEMO)
            .exits(3)
            .with("DOCKER_HOST", &host)
            .says_nothing()
            .says_on_stderr(&format!(
                "error: Docker refused {host}: permission denied\n"
            ))
            .and("  help: sudo usermod -aG docker $USER (as good as root)")
            .while_there_is(forbidden)
            .named(name),
        false => cannot(name, "setpriv"),
    });
    trials
}

/// An engine that grants no container the right to change its network: the
/// balancers want it for the address, a partition for what it cuts.
fn powerless() -> Vec<Trial> {
    let balanced = "demo mirrored-ha/one-balancer --no-predict";
    let parted = "demo mirrored-ha/cut-off --no-predict";
    let is_told = |words, language| {
        let engine = Engine::without_net_admin();
        Asked::to(words)
            .exits(3)
            .within(150)
            .with("DOCKER_HOST", engine.host())
            .with("LANG", language)
            .while_there_is(engine)
    };
    vec![
        is_told(balanced, "C.UTF-8")
            .says_on_stderr("a container may not change its own network: ")
            .and("  help: this wants an engine that grants NET_ADMIN (a")
            .named("balancers_on_an_engine_that_grants_no_net_admin"),
        is_told(parted, "zh_CN.UTF-8")
            .says_on_stderr("错误: 容器无权修改自己的网络：")
            .and("  办法: 需要能授予 NET_ADMIN 的 Docker 引擎")
            .named("a_partition_on_an_engine_that_grants_no_net_admin"),
    ]
}

fn images() -> Vec<Trial> {
    let (bare, half, tools) = (
        Engine::without_images(),
        Engine::without_images(),
        Engine::without_images(),
    );
    let no_docker = Tools::here(&[]);
    let no_mmdebstrap = Tools::here(&["docker"]);
    let temporary = [(); 3].map(|()| tempfile::tempdir().expect("a place"));
    let [tmp_bare, tmp_half, tmp_tools] = temporary;
    vec![
        Asked::to(DEMO)
            .exits(3)
            .word("--broker")
            .word("registry.invalid/rabbit:0")
            .says_on_stderr(
                "error: image registry.invalid/rabbit:0 is not on this \
                 machine\n",
            )
            .and("  help: docker pull registry.invalid/rabbit:0\n")
            .and("  help: or take the lab's own: --broker 4, --broker 3\n")
            .named("a_broker_of_an_image_that_is_not_here"),
        demo()
            .with("RMQ_LAB_IMAGE_RABBITMQ_4", "registry.invalid/rabbit:0")
            .says_on_stderr("error: image registry.invalid/rabbit:0 is not on")
            .and("help: or take the lab's own: unset RMQ_LAB_IMAGE_RABBITMQ_4")
            .named("an_image_of_the_environment_that_is_not_here"),
        demo()
            .with("DOCKER_HOST", bare.host())
            .with("PATH", "/nowhere")
            .with("TMPDIR", tmp_bare.path())
            .says_on_stderr("error: cannot run bash: No such file or directory")
            .looks_empty(&tmp_bare)
            .while_there_is((bare, tmp_bare))
            .named("no_image_and_no_shell_to_get_it_with"),
        demo()
            .with("DOCKER_HOST", half.host())
            .with("PATH", no_docker.path())
            .with("TMPDIR", tmp_half.path())
            .says_on_stderr("error: there is no docker command here\n")
            .and("  help: sudo apt-get install docker.io\n")
            .looks_empty(&tmp_half)
            .while_there_is((half, no_docker, tmp_half))
            .named("no_image_and_neither_docker_nor_mmdebstrap_to_get_it"),
        demo()
            .with("DOCKER_HOST", tools.host())
            .with("PATH", no_mmdebstrap.path())
            .with("TMPDIR", tmp_tools.path())
            .says_on_stderr(
                "error: image rabbitmq-4 cannot be had: neither pulled nor \
                 built\n",
            )
            .and("\n  pull: Get \"https://registry-1.docker.io/v2/\": dial tcp")
            .and("\n  build: mmdebstrap is missing, and this machine has no apt-get")
            .looks_empty(&tmp_tools)
            .while_there_is((tools, no_mmdebstrap, tmp_tools))
            .named("no_image_no_registry_and_nothing_to_build_it_with"),
    ]
}

fn state() -> Vec<Trial> {
    let file = tempfile::NamedTempFile::new().expect("a file");
    let below = file.path().join("lab");
    let mut trials = vec![
        demo()
            .with("RMQ_LAB_STATE", "/proc/rmq-lab")
            .says_nothing()
            .says_on_stderr(
                "error: cannot write to the state directory /proc/rmq-lab: No \
                 such file or directory\n",
            )
            .and("  help: name another directory: RMQ_LAB_STATE=/path\n")
            .named("a_state_directory_where_none_can_be_made"),
        demo()
            .with("RMQ_LAB_STATE", &below)
            .says_on_stderr("error: cannot write to the state directory")
            .and("Not a directory\n")
            .while_there_is(file)
            .named("a_state_directory_that_is_below_a_file"),
        demo()
            .word("--json")
            .with("RMQ_LAB_STATE", "/proc/rmq-lab")
            .says("\"event\":\"error\"")
            .and("\"exit\":3")
            .says_on_stderr("error: cannot write to the state directory")
            .named("a_program_is_told_of_the_state_directory_too"),
        Asked::to("list")
            .with("RMQ_LAB_STATE", "/proc/rmq-lab")
            .says("idempotency")
            .named("the_list_needs_no_state_directory"),
        Asked::to("doctor")
            .with("RMQ_LAB_STATE", "/proc/rmq-lab")
            .says("✗ amiss disk")
            .whose_findings_decide()
            .named("the_doctor_sees_a_state_directory_without_room"),
    ];
    let name = "a_state_directory_that_is_read_only";
    let nobody = Nobody::new();
    let read_only = tempfile::tempdir().expect("a place");
    let mode = fs::Permissions::from_mode(0o555);
    fs::set_permissions(read_only.path(), mode).expect("our own directory");
    trials.push(match nobody.can_be() {
        true => nobody
            .asks(DEMO)
            .exits(3)
            .with("RMQ_LAB_STATE", read_only.path())
            .says_nothing()
            .says_on_stderr("error: cannot write to the state directory")
            .and("Permission denied\n")
            .while_there_is(read_only)
            .named(name),
        false => cannot(name, "setpriv"),
    });
    trials
}

/// On a file system of the call's own, which nobody else sees and which goes
/// away with it.
fn full_disks() -> Vec<Trial> {
    let small = |name: &str, size: &str, ask: fn(Asked) -> Asked| {
        if !Disk::can_be_made() {
            return cannot(name, "mount");
        }
        let disk = Disk::new();
        let asked = Asked::to(DEMO)
            .exits(3)
            .through(disk.of(size).iter().map(String::as_str));
        ask(asked.with("RMQ_LAB_STATE", disk.path()))
            .while_there_is(disk)
            .named(name)
    };
    vec![
        small("a_disk_that_is_too_small_from_the_beginning", "1m", |asked| {
            asked
                .says_nothing()
                .says_on_stderr("error: the disk is full: no room for the run")
                .and("\n  help: free some space, or name another directory: ")
        }),
        small("a_disk_that_gets_full_in_the_middle", "3m", |asked| {
            asked
                .within(60)
                .says_on_stderr("full")
                .and("\n  help: free some space, or name another directory: ")
        }),
        small("a_disk_that_gets_full_under_the_record", "6m", |asked| {
            asked
                .word("--messages")
                .word("5000")
                .within(60)
                .says_on_stderr("full")
                .and("\n  help: free some space, or name another directory: ")
        }),
    ]
}

fn languages() -> Vec<Trial> {
    let wrong = || Asked::to("demo idempotancy").exits(64);
    let chinese = |asked: Asked| {
        asked
            .says_on_stderr("错误: 没有主题 \"idempotancy\"\n")
            .and("  办法: 是不是 \"idempotency\"？\n")
    };
    let english = |asked: Asked| {
        asked.says_on_stderr("error: no topic \"idempotancy\"\n")
    };
    vec![
        chinese(wrong().with("LANG", "zh_CN.UTF-8"))
            .named("a_chinese_locale_gets_chinese_errors"),
        chinese(wrong().with("LANG", "en_US.UTF-8").word("--lang").word("zh"))
            .named("what_is_typed_is_stronger_than_the_locale"),
        english(wrong().with("LANG", "zh_CN.UTF-8").with("LC_ALL", "C"))
            .named("lc_all_is_stronger_than_lang"),
        english(wrong().with("LANG", "tlh_KX.UTF-8"))
            .named("an_unknown_locale_gets_english"),
    ]
}

impl Asked {
    /// Nothing was left in a directory.
    fn looks_empty(self, dir: &TempDir) -> Self {
        let dir = dir.path().to_owned();
        self.looks_like(move |_| {
            let left = fs::read_dir(&dir).map_err(|e| e.to_string())?;
            match left.count() {
                0 => Ok(()),
                n => Err(format!("{n} left in {}", dir.display())),
            }
        })
    }
}

/// A trial that cannot be made here, and says what it would need.
fn cannot(name: &str, needed: &str) -> Trial {
    Trial::test(format!("cli::{name}"), || Err("not possible here".into()))
        .with_kind(format!("needs {needed}"))
        .with_ignored_flag(true)
}

/// Somebody without any right.
struct Nobody {
    dir: TempDir,
}

impl Nobody {
    fn new() -> Self {
        let dir = tempfile::tempdir().expect("a place");
        let open = fs::Permissions::from_mode(0o755);
        fs::set_permissions(dir.path(), open).expect("our own directory");
        Self { dir }
    }

    /// Where we are nobody special ourselves, we need not become nobody.
    fn can_be(&self) -> bool {
        !we_are_root() || succeeds(&[AS_NOBODY, &["true"]].concat())
    }

    /// A directory in which nobody may write.
    fn state(&self) -> PathBuf {
        let state = self.dir.path().join("state");
        let open = fs::Permissions::from_mode(0o777);
        fs::create_dir_all(&state).expect("our own directory");
        fs::set_permissions(&state, open).expect("our own directory");
        state
    }

    fn asks(self, words: &str) -> Asked {
        if !we_are_root() {
            return Asked::to(words);
        }
        // Where everybody may read and run it.
        let copy = self.dir.path().join("rmq-lab");
        let there = fs::hard_link(binary(), &copy).is_ok()
            || fs::copy(binary(), &copy).is_ok();
        assert!(there, "a copy of the program in {}", copy.display());
        Asked::to(words)
            .through(AS_NOBODY.iter().copied())
            .program(copy)
            .with("HOME", self.dir.path())
            .with("RMQ_LAB_STATE", self.state())
            .while_there_is(self)
    }
}

const AS_NOBODY: &[&str] =
    &["setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups"];

/// A directory with the commands that `lab-image` needs, and no other.
struct Tools(TempDir);

impl Tools {
    fn here(and: &[&str]) -> Self {
        const NEEDED: &[&str] = &[
            "awk", "bash", "cat", "chmod", "cut", "dirname", "env", "find",
            "grep", "head", "kill", "mktemp", "mv", "paste", "rm", "sed",
            "setpriv", "setsid", "sleep", "sort", "stat", "tail", "timeout",
            "tr",
        ];
        let dir = tempfile::tempdir().expect("a place");
        for name in NEEDED.iter().chain(and) {
            if let Some(path) = found(name) {
                symlink(path, dir.path().join(name)).expect("a link");
            }
        }
        Self(dir)
    }

    fn path(&self) -> &Path {
        self.0.path()
    }
}

pub fn found(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path)
        .map(|dir| dir.join(name))
        .find(|path| path.is_file())
}

/// Where a small file system can be mounted.
struct Disk(TempDir);

impl Disk {
    fn new() -> Self {
        Self(tempfile::tempdir().expect("a place"))
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    /// The words that mount it and become the program.
    fn of(&self, size: &str) -> Vec<String> {
        let mount = format!(
            "mount -t tmpfs -o size={size} none '{}' && exec \"$0\" \"$@\"",
            self.path().display()
        );
        let words = ["unshare", "--mount", "sh", "-c", &mount];
        words.map(str::to_owned).into()
    }

    fn can_be_made() -> bool {
        let disk = Self::new();
        let words = disk.of("1m");
        let mut words: Vec<_> = words.iter().map(String::as_str).collect();
        words.push("true");
        we_are_root() && succeeds(&words)
    }
}

fn succeeds(words: &[&str]) -> bool {
    let done = Command::new(words[0]).args(&words[1..]).output();
    done.is_ok_and(|done| done.status.success())
}

fn we_are_root() -> bool {
    let id = Command::new("id").arg("-u").output();
    id.is_ok_and(|id| id.stdout == b"0\n")
}
