//! Counting: callers that go on until the time is up, and what their answers took.

use std::{
    future::Future,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use serde_json::{Value, json};

use super::BenchError;

/// What some callers saw.
#[derive(Default)]
pub(super) struct Measured {
    latencies: Vec<Duration>,
    elapsed: Duration,
}

impl Measured {
    /// Lets `callers` call one after the other each, until `time` is up.
    pub(super) async fn during<F, C>(time: Duration, callers: Vec<C>) -> Result<Self, BenchError>
    where
        C: FnMut() -> F + Send + 'static,
        F: Future<Output = Result<(), BenchError>> + Send,
    {
        let begin = Instant::now();
        Self::until(move || begin.elapsed() >= time, callers).await
    }

    /// Lets `callers` call one after the other each, until they have called `count` times between them.
    pub(super) async fn times<F, C>(count: u64, callers: Vec<C>) -> Result<Self, BenchError>
    where
        C: FnMut() -> F + Send + 'static,
        F: Future<Output = Result<(), BenchError>> + Send,
    {
        let called = Arc::new(AtomicU64::new(0));
        Self::until(move || called.fetch_add(1, Ordering::Relaxed) >= count, callers).await
    }

    async fn until<F, C>(
        over: impl Fn() -> bool + Clone + Send + 'static,
        callers: Vec<C>,
    ) -> Result<Self, BenchError>
    where
        C: FnMut() -> F + Send + 'static,
        F: Future<Output = Result<(), BenchError>> + Send,
    {
        let begin = Instant::now();
        let mut tasks = tokio::task::JoinSet::new();
        for mut call in callers {
            let over = over.clone();
            tasks.spawn(async move {
                let mut latencies = Vec::new();
                while !over() {
                    let start = Instant::now();
                    call().await?;
                    latencies.push(start.elapsed());
                }
                Ok::<_, BenchError>(latencies)
            });
        }
        let mut latencies = Vec::new();
        while let Some(seen) = tasks.join_next().await {
            latencies.extend(seen??);
        }
        Ok(Self::of(latencies, begin.elapsed()))
    }

    /// What was seen by one caller.
    pub(super) fn of(mut latencies: Vec<Duration>, elapsed: Duration) -> Self {
        latencies.sort_unstable();
        Self { latencies, elapsed }
    }

    /// What was seen in another turn as well.
    pub(super) fn and(mut self, other: Self) -> Self {
        self.latencies.extend(other.latencies);
        Self::of(self.latencies, self.elapsed + other.elapsed)
    }

    pub(super) fn count(&self) -> usize {
        self.latencies.len()
    }

    pub(super) fn per_second(&self) -> f64 {
        self.latencies.len() as f64 / self.elapsed.as_secs_f64()
    }

    /// The latency that `percent` of the answers stayed within.
    pub(super) fn percentile(&self, percent: usize) -> Duration {
        let last = self.latencies.len().saturating_sub(1);
        self.latencies.get(last * percent / 100).copied().unwrap_or_default()
    }
}

pub(super) fn rate(per_second: f64) -> Value {
    json!(per_second.round())
}

pub(super) fn milliseconds(time: Duration) -> Value {
    json!((time.as_secs_f64() * 1e5).round() / 100.0)
}

pub(super) fn ratio(one: f64, other: f64) -> Value {
    json!((one / other * 1000.0).round() / 1000.0)
}
