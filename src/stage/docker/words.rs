//! What Docker said, in words that tell what to do.

use crate::{
    problem::{Problem, reason},
    stage::ports,
    text,
    text::Text,
};

/// What Docker said, as a problem of the environment.
pub fn failed(error: &(dyn std::error::Error + 'static)) -> Problem {
    let said = reason(error);
    let problem = Problem::environment(text! {
        en: "Docker could not do it: {said}", zh: "Docker 执行失败：{said}", said = said
    });
    if ports::is_taken(&said) {
        return problem.help(text! {
            en: "another program took the port in between: run the command again",
            zh: "端口刚被别的程序占用：请重新运行命令"
        });
    }
    if said.contains("no space left") {
        return problem.help(text! {
            en: "free some space: rmq-lab clean, docker system df",
            zh: "请释放磁盘空间：rmq-lab clean，docker system df"
        });
    }
    problem.help(DOCTOR)
}

/// What is to be said where a container may not change its own network.
pub(crate) fn may_not(told: &str) -> Problem {
    let told = told.lines().next().unwrap_or("-").to_owned();
    Problem::environment(text! {
        en: "a container may not change its own network: {told}",
        zh: "容器无权修改自己的网络：{told}",
        told = told
    })
    .help(text! {
        en: "this wants an engine that grants NET_ADMIN (a rootless one may not)",
        zh: "需要能授予 NET_ADMIN 的 Docker 引擎（rootless 模式可能不行）"
    })
}

const DOCTOR: Text = text! {
    en: "rmq-lab doctor tells what is amiss", zh: "rmq-lab doctor 会逐项检查环境"
};

/// What is to be said where no engine answers, and how it said so.
pub(super) fn unreachable(said: &Text) -> Problem {
    let host = std::env::var("DOCKER_HOST")
        .unwrap_or_else(|_| "/var/run/docker.sock".to_owned());
    if host.is_empty() {
        return Problem::environment(text! {
            en: "DOCKER_HOST is set, and empty", zh: "DOCKER_HOST 被设为空"
        })
        .help(text! { en: "unset DOCKER_HOST", zh: "unset DOCKER_HOST" });
    }
    if said.en.to_lowercase().contains("permission denied") {
        return Problem::environment(text! {
            en: "Docker refused {host}: permission denied",
            zh: "Docker 拒绝访问 {host}：权限不足",
            host = host
        })
        .help(text! {
            en: "sudo usermod -aG docker $USER (as good as root), then log in again",
            zh: "sudo usermod -aG docker $USER（等同 root 权限），然后重新登录"
        });
    }
    // Testcontainers puts this before what its own library said.
    let plain = |said: &str| {
        said.rsplit("failed to initialize a docker client: ")
            .next()
            .unwrap_or(said)
            .to_owned()
    };
    let (en, zh) = (plain(&said.en), plain(&said.zh));
    Problem::environment(Text::made(
        format!("no Docker engine answers at {host}: {en}"),
        format!("{host} 上没有 Docker 引擎应答：{zh}"),
    ))
    .help(text! {
        en: "start it: sudo systemctl start docker",
        zh: "启动：sudo systemctl start docker"
    })
    .help(text! {
        en: "install one: scripts/setup --only docker",
        zh: "安装：scripts/setup --only docker"
    })
    .help(text! {
        en: "elsewhere: set DOCKER_HOST, for example unix:///run/user/1000/docker.sock",
        zh: "若在别处：设置 DOCKER_HOST，例如 unix:///run/user/1000/docker.sock"
    })
}
