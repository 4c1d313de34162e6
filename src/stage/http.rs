//! The broker's management API, as far as the lab needs it.
//!
//! Source: RabbitMQ management plugin, HTTP API reference (`/api/index.html`
//! of a running broker).

use std::time::{Duration, Instant};

use base64::{Engine as _, prelude::BASE64_STANDARD};
use serde_json::{Value, json};
use tokio::{task::spawn_blocking, time::sleep};

use crate::{problem::Problem, text};

/// A node starts a new vhost within some 50 ms.
const STARTED_BY_ITSELF: Duration = Duration::from_secs(1);

/// A broker's management API with a login.
#[derive(Clone)]
pub struct Management {
    /// Where a person can look at it.
    pub url: String,
    user: String,
    authorization: String,
    agent: ureq::Agent,
}

impl Management {
    /// The API at this port of the loopback address.
    pub fn new(port: u16, user: &str, password: &str) -> Self {
        let config = ureq::Agent::config_builder()
            .timeout_global(Some(Duration::from_secs(10)))
            .http_status_as_error(true)
            .build();
        Self {
            url: format!("http://127.0.0.1:{port}"),
            user: user.to_owned(),
            authorization: format!(
                "Basic {}",
                BASE64_STANDARD.encode(format!("{user}:{password}"))
            ),
            agent: config.into(),
        }
    }

    /// The broker's version, once the API answers.
    ///
    /// # Errors
    /// When it does not answer within `limit`.
    pub async fn version(&self, limit: Duration) -> Result<[u16; 3], Problem> {
        let began = Instant::now();
        loop {
            match self.get("/api/overview").await {
                Ok(overview) => {
                    let told = overview["rabbitmq_version"]
                        .as_str()
                        .unwrap_or_default();
                    let mut parts = told
                        .split(['.', '-', '+', '~'])
                        .map(|part| part.parse().unwrap_or_default());
                    return Ok(std::array::from_fn(|_| {
                        parts.next().unwrap_or_default()
                    }));
                }
                Err(error) if began.elapsed() > limit => {
                    return Err(refused(&error));
                }
                Err(_) => sleep(Duration::from_millis(25)).await,
            }
        }
    }

    /// Makes a vhost that the run's user may do everything in.
    ///
    /// # Errors
    /// What the API says.
    pub async fn make_vhost(&self, vhost: &str) -> Result<(), Problem> {
        let everything =
            json!({ "configure": ".*", "write": ".*", "read": ".*" });
        let permissions = format!("/api/permissions/{vhost}/{}", self.user);
        self.put(&format!("/api/vhosts/{vhost}"), json!({}))
            .await
            .map_err(|e| refused(&e))?;
        self.put(&permissions, everything).await.map_err(|e| refused(&e))
    }

    /// The nodes on which a vhost does not run.
    ///
    /// # Errors
    /// What the API says.
    pub async fn without_vhost(
        &self,
        vhost: &str,
    ) -> Result<Vec<String>, Problem> {
        let told = self.get(&format!("/api/vhosts/{vhost}")).await;
        let told = told.map_err(|e| refused(&e))?;
        let states = told["cluster_state"].as_object();
        let states = states.into_iter().flatten();
        let without = states.filter(|(_, state)| *state != "running");
        Ok(without.map(|(node, _)| node.clone()).collect())
    }

    /// Starts a vhost that is there on a node that does not run it.
    ///
    /// # Errors
    /// What the API says.
    pub async fn start_vhost(
        &self,
        vhost: &str,
        node: &str,
    ) -> Result<(), Problem> {
        let url = format!("{}/api/vhosts/{vhost}/start/{node}", self.url);
        let request = self.agent.post(url);
        let request = request.header("authorization", &self.authorization);
        blocking(move || request.send_empty().map(drop))
            .await
            .map_err(|e| refused(&e))
    }

    /// Starts a vhost wherever it does not run, again and again; never ends.
    ///
    /// A node that is at the very end of its boot may miss a new vhost: it
    /// answers AMQP and counts as running, and the broker waits in vain for it
    /// to start the vhost (seen on 3.10: for more than 10 s). It does when it
    /// is told to.
    pub async fn start_where_missed(&self, vhost: &str) {
        loop {
            sleep(STARTED_BY_ITSELF).await;
            // Before it is made there is nothing to start.
            let without = self.without_vhost(vhost).await;
            for node in without.unwrap_or_default() {
                let _ = self.start_vhost(vhost, &node).await;
            }
        }
    }

    /// Removes a vhost with all that is in it.
    ///
    /// # Errors
    /// What the API says.
    pub async fn remove_vhost(&self, vhost: &str) -> Result<(), Problem> {
        let request =
            self.agent.delete(format!("{}/api/vhosts/{vhost}", self.url));
        let request = request.header("authorization", &self.authorization);
        blocking(move || request.call().map(drop))
            .await
            .map_err(|e| refused(&e))
    }

    /// The names of the nodes that this one counts as running, itself too.
    ///
    /// # Errors
    /// What the API says.
    pub async fn running(&self) -> Result<Vec<String>, Problem> {
        let nodes = self.get("/api/nodes").await.map_err(|e| refused(&e))?;
        let nodes = nodes.as_array().map(Vec::as_slice).unwrap_or_default();
        let running = nodes.iter().filter(|node| node["running"] == true);
        let names = running.filter_map(|node| node["name"].as_str());
        Ok(names.map(str::to_owned).collect())
    }

    /// Whether this node counts so many as running, itself too, and knows of
    /// no partition between them. A node that does not answer does not.
    pub async fn counts_whole(&self, size: usize) -> bool {
        let Ok(nodes) = self.get("/api/nodes").await else { return false };
        let nodes = nodes.as_array().map(Vec::as_slice).unwrap_or_default();
        let is_well = |node: &&Value| {
            let apart = node["partitions"].as_array();
            node["running"] == true && apart.is_none_or(Vec::is_empty)
        };
        nodes.len() == size && nodes.iter().all(|node| is_well(&node))
    }

    /// Whether this node knows of a partition, its own or another's. One that
    /// does not answer does not.
    pub async fn is_parted(&self) -> bool {
        let Ok(nodes) = self.get("/api/nodes").await else { return false };
        let nodes = nodes.as_array().map(Vec::as_slice).unwrap_or_default();
        let is_apart = |node: &Value| {
            node["partitions"].as_array().is_some_and(|of| !of.is_empty())
        };
        nodes.iter().any(is_apart)
    }

    /// How many nodes this one counts as running; `None` where it does not
    /// answer.
    pub async fn counts_running(&self) -> Option<usize> {
        Some(self.running().await.ok()?.len())
    }

    /// What the API knows of a queue; `None` where it does not answer, or
    /// knows of none. Some of it is up to
    /// [`STATISTICS`](super::cluster::STATISTICS) old.
    pub async fn queue(&self, vhost: &str, queue: &str) -> Option<Value> {
        self.get(&format!("/api/queues/{vhost}/{queue}")).await.ok()
    }

    /// Sets a policy on the queues of this name. The inner error is the
    /// broker's reason not to: it knows what a policy may say.
    ///
    /// # Errors
    /// When the API does not answer.
    pub async fn set_policy(
        &self,
        vhost: &str,
        queue: &str,
        definition: Value,
    ) -> Result<Result<(), String>, Problem> {
        let path = format!("/api/policies/{vhost}/{queue}");
        let policy = json!({
            "pattern": format!("^{}$", queue.replace('.', "\\.")),
            "definition": definition,
            "apply-to": "queues",
        });
        let url = format!("{}{path}", self.url);
        self.asked(self.agent.put(url), policy).await
    }

    /// Imports definitions (queues, policies …) into a vhost, as one does who
    /// moves to another cluster. The inner error is the broker's reason not
    /// to.
    ///
    /// # Errors
    /// When the API does not answer.
    pub async fn import(
        &self,
        vhost: &str,
        definitions: Value,
    ) -> Result<Result<(), String>, Problem> {
        let url = format!("{}/api/definitions/{vhost}", self.url);
        self.asked(self.agent.post(url), definitions).await
    }

    /// Asks for something that the broker may refuse with a reason.
    async fn asked(
        &self,
        request: ureq::RequestBuilder<ureq::typestate::WithBody>,
        body: Value,
    ) -> Result<Result<(), String>, Problem> {
        let request = request.header("authorization", &self.authorization);
        let request = request.config().http_status_as_error(false).build();
        let answer = blocking(move || {
            let mut answer = request.send_json(body)?;
            if answer.status().is_success() {
                return Ok(Ok(()));
            }
            let told: Value = answer.body_mut().read_json()?;
            Ok(Err(told["reason"].as_str().unwrap_or_default().to_owned()))
        });
        answer.await.map_err(|e| refused(&e))
    }

    async fn get(&self, path: &str) -> Result<Value, ureq::Error> {
        let request = self.agent.get(format!("{}{path}", self.url));
        let request = request.header("authorization", &self.authorization);
        blocking(move || request.call()?.body_mut().read_json()).await
    }

    async fn put(&self, path: &str, body: Value) -> Result<(), ureq::Error> {
        let request = self.agent.put(format!("{}{path}", self.url));
        let request = request.header("authorization", &self.authorization);
        blocking(move || request.send_json(body).map(drop)).await
    }
}

async fn blocking<T: Send + 'static>(
    call: impl FnOnce() -> Result<T, ureq::Error> + Send + 'static,
) -> Result<T, ureq::Error> {
    match spawn_blocking(call).await {
        Ok(answer) => answer,
        Err(stopped) => Err(ureq::Error::Io(std::io::Error::other(stopped))),
    }
}

fn refused(error: &ureq::Error) -> Problem {
    if matches!(error, ureq::Error::Io(_) | ureq::Error::ConnectionFailed) {
        return Problem::environment(text! {
            en: "the broker is gone: its management API does not answer",
            zh: "broker 不见了：其管理接口没有应答"
        })
        .help(text! {
            en: "was its container stopped, or the machine out of memory? \
                 rmq-lab doctor",
            zh: "容器被停掉，还是内存不足？rmq-lab doctor"
        });
    }
    Problem::environment(text! {
        en: "the broker's management API refused: {error}",
        zh: "broker 的管理接口拒绝了请求：{error}",
        error = error
    })
}
