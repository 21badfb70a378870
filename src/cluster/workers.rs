//! The workers of a server: how they are reached, and what they say when they are asked.

use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use axum::http::HeaderMap;
use datafusion::arrow::array::RecordBatch;
use datafusion::common::{DataFusionError, Result};
use datafusion::execution::TaskContext;
use datafusion::physical_plan::metrics::ExecutionPlanMetricsSet;
use datafusion_distributed::grpc::{BoxCloneSyncChannel, create_worker_client};
use datafusion_distributed::{
    ChannelResolver, CoordinatorToWorkerMsg, ExecuteTaskRequest, GetWorkerInfoRequest,
    GetWorkerInfoResponse, SetPlanRequest, WorkerChannel, WorkerToCoordinatorMsg,
};
use futures::future::join_all;
use futures::stream::BoxStream;
use futures::{StreamExt, TryStreamExt};
use tonic::transport::{Channel, Endpoint};
use url::Url;

use super::leaf::own_error;
use super::security::{Security, address};
use super::{Info, version};
use crate::error::{self, Error};

/// How long a connection may take, and an answer to what a worker says of itself.
const CONNECT: Duration = Duration::from_secs(2);
const ANSWER: Duration = Duration::from_secs(3);
const ANSWER_OF_SILENT: Duration = Duration::from_millis(300);
/// How long an answer holds, so that planning and executing a statement ask once.
const LATELY: Duration = Duration::from_secs(1);
/// After so long without a word a worker is asked whether it is there, and after so long without an
/// answer it is not.
const ALIVE: Duration = Duration::from_secs(4);
const SILENT: Duration = Duration::from_secs(6);

/// Letters of what a worker is said to have gone wrong with.
const LONGEST: usize = 300;

/// The workers that a server was told of.
#[derive(Clone)]
pub struct Workers {
    members: Arc<Vec<Member>>,
    last: Arc<Mutex<Option<Said>>>,
}

/// What all of them said, and when.
type Said = (Instant, Vec<Asked>);

struct Member {
    url: Url,
    channel: Channel,
    /// Whether it let the last question pass: the next is not waited for as long.
    is_silent: AtomicBool,
}

impl fmt::Debug for Workers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let addresses = self.members.iter().map(|member| shown(&member.url));
        f.debug_list().entries(addresses).finish()
    }
}

/// What one of them said, or why it said nothing.
#[derive(Debug, Clone)]
pub struct Asked {
    pub url: Url,
    pub said: Result<Info, String>,
}

impl Asked {
    /// Why it is not used for this history; `None` where it is.
    pub fn problem(&self, fingerprint: &str) -> Option<String> {
        let own = version();
        match &self.said {
            Err(problem) => Some(format!("does not answer: {problem}")),
            Ok(info) if info.version != own => Some(format!(
                "is of another version: {}, and this is {own}",
                info.version
            )),
            Ok(info) if info.dataset != fingerprint => Some(format!(
                "has another history: {}, and this is {fingerprint}",
                info.dataset
            )),
            Ok(_) => None,
        }
    }
}

impl Workers {
    /// The workers at these addresses; they are connected to when they are asked for the first time.
    pub fn new(addresses: &[String], security: Option<&Security>) -> error::Result<Self> {
        let mut members: Vec<Member> = Vec::with_capacity(addresses.len());
        for text in addresses {
            let url = address(text, security.is_some())?;
            if members.iter().any(|known| known.url == url) {
                return Err(Error::Usage(format!("worker {text} is named twice")));
            }
            let refuse = |error: tonic::transport::Error| {
                Error::Usage(format!("worker {text}: {}", in_full(&error)))
            };
            let endpoint = Endpoint::from_shared(url.to_string()).map_err(refuse)?;
            let mut endpoint = endpoint
                .connect_timeout(CONNECT)
                .http2_keep_alive_interval(ALIVE)
                .keep_alive_timeout(SILENT)
                .tcp_nodelay(true);
            if let (Some(security), "https") = (security, url.scheme()) {
                endpoint = endpoint.tls_config(security.of_client()).map_err(refuse)?;
            }
            members.push(Member {
                channel: endpoint.connect_lazy(),
                is_silent: AtomicBool::new(false),
                url,
            });
        }
        if members.is_empty() {
            return Err(Error::Usage("--workers names no worker".into()));
        }
        Ok(Self {
            members: Arc::new(members),
            last: Arc::default(),
        })
    }

    /// What each says of itself, in the order in which they were named.
    pub async fn ask(&self) -> Vec<Asked> {
        let said = join_all(self.members.iter().map(Member::ask)).await;
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        *last = Some((Instant::now(), said.clone()));
        said
    }

    /// The same, or what they said a moment ago: whoever was lost since is noticed as it is used.
    pub async fn asked(&self) -> Vec<Asked> {
        let last = self
            .last
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone();
        match last {
            Some((when, said)) if when.elapsed() < LATELY => said,
            _ => self.ask().await,
        }
    }
}

impl Member {
    async fn ask(&self) -> Asked {
        let patience = match self.is_silent.load(Ordering::Relaxed) {
            true => ANSWER_OF_SILENT,
            false => ANSWER,
        };
        let mut worker = client(&self.url, &self.channel);
        let asked = worker.get_worker_info(GetWorkerInfoRequest {});
        let answer = tokio::time::timeout(patience, asked).await;
        self.is_silent.store(answer.is_err(), Ordering::Relaxed);
        let said = match answer {
            Err(_) => Err("it is silent".to_owned()),
            Ok(Err(error)) => {
                let problem = lost(&error).map(|lost| lost.problem.clone());
                Err(problem.unwrap_or_else(|| error.to_string()))
            }
            Ok(Ok(info)) => serde_json::from_str(&info.version)
                .map_err(|_| "what answers is no worker of hindsight".to_owned()),
        };
        Asked {
            url: self.url.clone(),
            said,
        }
    }
}

/// How a worker's address is shown.
pub fn shown(url: &Url) -> &str {
    url.as_str().trim_end_matches('/')
}

#[async_trait]
impl ChannelResolver for Workers {
    async fn get_worker_client_for_url(&self, url: &Url) -> Result<Box<dyn WorkerChannel>> {
        let found = self.members.iter().find(|known| known.url == *url);
        let Some(member) = found else {
            let problem = format!("{} is no worker of this server", shown(url));
            return Err(DataFusionError::Internal(problem));
        };
        Ok(Box::new(client(url, &member.channel)))
    }
}

/// A worker was lost, or is not what it should be.
#[derive(Debug, thiserror::Error)]
#[error("worker {}: {problem}", shown(url))]
pub struct Lost {
    pub url: Url,
    pub problem: String,
}

/// The worker that an error is of, if it is of one.
pub fn lost(error: &DataFusionError) -> Option<&Lost> {
    match error.find_root() {
        DataFusionError::External(error) => error.downcast_ref(),
        _ => None,
    }
}

/// Whatever goes wrong with a worker is of that worker, but for errors of the statement itself.
fn named(url: &Url, error: DataFusionError) -> DataFusionError {
    if own_error(&error).is_some() || lost(&error).is_some() {
        return error;
    }
    let problem = match error.find_root() {
        DataFusionError::External(error) => in_full(error.as_ref()),
        error => error.strip_backtrace(),
    };
    let problem = problem.chars().take(LONGEST).collect();
    let url = url.clone();
    DataFusionError::External(Box::new(Lost { url, problem }))
}

/// An error with what is behind it, in one line.
fn in_full(error: &(dyn std::error::Error + 'static)) -> String {
    let mut said: Vec<String> = Vec::new();
    let mut next = Some(error);
    while let Some(error) = next {
        let text = match error.downcast_ref::<tonic::Status>() {
            Some(status) => status.message().to_owned(),
            None => error.to_string(),
        };
        if !text.is_empty() && !said.iter().any(|known| known.contains(&text)) {
            said.push(text);
        }
        next = error.source();
    }
    said.join(": ")
        .split_whitespace()
        .collect::<Vec<_>>()
        .join(" ")
}

fn client(url: &Url, channel: &Channel) -> Named {
    Named {
        url: url.clone(),
        channel: create_worker_client(BoxCloneSyncChannel::new(channel.clone())),
    }
}

/// The way to one worker; what goes wrong on it names the worker.
struct Named {
    url: Url,
    channel: Box<dyn WorkerChannel>,
}

#[async_trait]
impl WorkerChannel for Named {
    async fn coordinator_channel(
        &mut self,
        headers: HeaderMap,
        request: SetPlanRequest,
        messages: BoxStream<'static, CoordinatorToWorkerMsg>,
        metrics: ExecutionPlanMetricsSet,
        context: &Arc<TaskContext>,
    ) -> Result<BoxStream<'static, Result<WorkerToCoordinatorMsg>>> {
        let url = self.url.clone();
        let answers = self
            .channel
            .coordinator_channel(headers, request, messages, metrics, context);
        let answers = answers.await.map_err(|error| named(&url, error))?;
        Ok(answers.map_err(move |error| named(&url, error)).boxed())
    }

    async fn execute_task(
        &mut self,
        headers: HeaderMap,
        request: ExecuteTaskRequest,
        metrics: ExecutionPlanMetricsSet,
        context: &Arc<TaskContext>,
    ) -> Result<Vec<BoxStream<'static, Result<RecordBatch>>>> {
        let url = self.url.clone();
        let streams = self
            .channel
            .execute_task(headers, request, metrics, context);
        let streams = streams.await.map_err(|error| named(&url, error))?;
        let streams = streams.into_iter().map(|rows| {
            let url = url.clone();
            rows.map_err(move |error| named(&url, error)).boxed()
        });
        Ok(streams.collect())
    }

    async fn get_worker_info(
        &mut self,
        request: GetWorkerInfoRequest,
    ) -> Result<GetWorkerInfoResponse> {
        let info = self.channel.get_worker_info(request).await;
        info.map_err(|error| named(&self.url, error))
    }
}
