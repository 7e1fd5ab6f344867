//! What is measured: many requests, requests at their times, new connections, a long body, events, idle connections.

use super::process::{processor, resident};
use super::way::{Connection, Ways};
use super::{Error, Words};
use http_body_util::BodyExt;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};
use tokio::sync::mpsc;
use tokio::task::JoinSet;

/// The value below which this share of the values lies.
fn quantile(values: &mut [f64], share: f64) -> f64 {
    values.sort_by(f64::total_cmp);
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, clippy::cast_precision_loss)]
    let at = (values.len() as f64 * share) as usize;
    values.get(at.min(values.len().saturating_sub(1))).copied().unwrap_or(f64::NAN)
}

fn latencies(mut values: Vec<f64>) -> String {
    let mut at = |share| quantile(&mut values, share);
    format!("p50={:.3} p90={:.3} p99={:.3}", at(0.5), at(0.9), at(0.99))
}

fn milliseconds(since: Instant) -> f64 {
    since.elapsed().as_secs_f64() * 1000.0
}

#[expect(clippy::cast_precision_loss)]
fn float(count: usize) -> f64 {
    count as f64
}

/// Each connection asks again as soon as it is answered.
pub async fn closed(ways: Arc<Ways>, words: &Words, pids: &[u32]) -> Result<String, Error> {
    let mut connections = Vec::new();
    for _ in 0..words.number("connections", 16) {
        connections.push(ways.open().await?);
    }
    let path = words.text("path", "/1k").to_owned();
    let seconds = Duration::from_secs(words.number("seconds", 2) as u64);
    let (used, start) = (processor(pids), Instant::now());
    let mut tasks = JoinSet::new();
    for mut connection in connections {
        let path = path.clone();
        tasks.spawn(async move {
            let mut times = Vec::new();
            while start.elapsed() < seconds {
                let asked = Instant::now();
                connection.get(&path).await?;
                times.push(milliseconds(asked));
            }
            Ok::<_, Error>(times)
        });
    }
    let mut times = Vec::new();
    while let Some(ended) = tasks.join_next().await {
        times.extend(ended??);
    }
    let count = float(times.len());
    let rate = count / start.elapsed().as_secs_f64();
    let used = (processor(pids) - used) / count * 1000.0;
    Ok(format!("rate={rate:.0} cpu={used:.4} {}", latencies(times)))
}

/// A hundred requests a second, each at its time, whether the one before is answered or not.
pub async fn open(ways: Arc<Ways>, words: &Words) -> Result<String, Error> {
    let count = words.number("count", 400);
    let (idle, mut free) = mpsc::unbounded_channel::<Connection>();
    for _ in 0..words.number("connections", 4) {
        let mut connection = ways.open().await?;
        connection.get(words.text("path", "/1k")).await?;
        idle.send(connection)?;
    }
    // A thread of its own: the runtime's timer knows whole milliseconds alone.
    let (clock, mut due) = mpsc::unbounded_channel();
    std::thread::spawn(move || {
        let start = Instant::now();
        for tick in 0..u32::try_from(count).unwrap_or(0) {
            std::thread::sleep((start + Duration::from_millis(10) * tick).duration_since(Instant::now()));
            if clock.send(Instant::now()).is_err() {
                return;
            }
        }
    });
    let mut tasks = JoinSet::new();
    while let Some(asked) = due.recv().await {
        let mut connection = free.recv().await.ok_or("no connection is left")?;
        let (idle, path) = (idle.clone(), words.text("path", "/1k").to_owned());
        tasks.spawn(async move {
            connection.get(&path).await?;
            let took = milliseconds(asked);
            idle.send(connection)?;
            Ok::<_, Error>(took)
        });
    }
    let mut times = Vec::new();
    while let Some(ended) = tasks.join_next().await {
        times.push(ended??);
    }
    Ok(latencies(times))
}

/// A new connection for each request, one after the other.
pub async fn fresh(ways: Arc<Ways>, words: &Words, pids: &[u32]) -> Result<String, Error> {
    let count = words.number("count", 300);
    let (used, mut times) = (processor(pids), Vec::new());
    for _ in 0..count {
        let start = Instant::now();
        ways.open().await?.get(words.text("path", "/1k")).await?;
        times.push(milliseconds(start));
    }
    let used = (processor(pids) - used) / float(count) * 1000.0;
    Ok(format!("cpu={used:.3} {}", latencies(times)))
}

/// One long answer; how much the memory grew meanwhile.
pub async fn body(ways: Arc<Ways>, words: &Words, pids: Vec<u32>) -> Result<String, Error> {
    let mut connection = ways.open().await?;
    connection.get("/1k").await?;
    let (before, used) = (resident(&pids), processor(&pids));
    let ids = pids.clone();
    let (over, ended) = std::sync::mpsc::channel::<()>();
    let watching = std::thread::spawn(move || {
        let mut most = before;
        while ended
            .recv_timeout(Duration::from_millis(10))
            .is_err_and(|why| why == std::sync::mpsc::RecvTimeoutError::Timeout)
        {
            most = most.max(resident(&ids));
        }
        most
    });
    let start = Instant::now();
    let length = connection.get(words.text("path", "/256m")).await?;
    let seconds = start.elapsed().as_secs_f64();
    drop(over);
    let most = watching.join().map_err(|_| "the watching thread died")?;
    let rate = float(length) / seconds / f64::from(1 << 20);
    Ok(format!(
        "rate={rate:.0} cpu={:.3} grown={:.1} peak={:.1}",
        processor(&pids) - used,
        (most - before) / 1024.0,
        most / 1024.0
    ))
}

/// A stream of events that say when they were sent.
pub async fn events(ways: Arc<Ways>, words: &Words) -> Result<String, Error> {
    let (mut firsts, mut each) = (Vec::new(), Vec::new());
    for _ in 0..words.number("count", 5) {
        let mut connection = ways.open().await?;
        connection.get("/1k").await?;
        let start = Instant::now();
        let mut body = connection.ask(words.text("path", "/events")).await?.into_body();
        let mut first = true;
        while let Some(frame) = body.frame().await {
            let frame = frame?;
            let Some(sent) = frame.data_ref().and_then(|data| std::str::from_utf8(data).ok()) else {
                continue;
            };
            let now = SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs_f64();
            if std::mem::take(&mut first) {
                firsts.push(milliseconds(start));
                continue;
            }
            // What comes together is as late as its oldest.
            if let Some(sent) = sent.lines().find_map(|line| line.strip_prefix("data: ")) {
                each.push((now - sent.parse::<f64>()?) * 1000.0);
            }
        }
    }
    Ok(format!("first={:.3} {}", quantile(&mut firsts, 0.5), latencies(each)))
}

/// Connections that have made a request and rest, and then make another.
pub async fn hold(ways: Arc<Ways>, words: &Words, pids: &[u32]) -> Result<String, Error> {
    let count = words.number("connections", 5000);
    let before = resident(pids);
    let mut held = Vec::new();
    while held.len() < count {
        let mut tasks = JoinSet::new();
        for _ in 0..(count - held.len()).min(16) {
            let ways = Arc::clone(&ways);
            tasks.spawn(async move {
                let mut connection = ways.open().await?;
                connection.get("/1k").await?;
                Ok::<_, Error>(connection)
            });
        }
        while let Some(opened) = tasks.join_next().await {
            held.push(opened??);
        }
    }
    tokio::time::sleep(Duration::from_secs(1)).await;
    let after = resident(pids);
    let mut answered = 0;
    for connection in &mut held {
        if connection.get("/1k").await.is_ok() {
            answered += 1;
        }
    }
    let each = (after - before) / float(count);
    Ok(format!("held={answered} each={each:.1} before={:.1} after={:.1}", before / 1024.0, after / 1024.0))
}
