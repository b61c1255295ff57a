//! A receiver of posts over HTTP/1.1.

use std::{
    collections::BTreeMap,
    fmt::Write as _,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use tokio::{
    io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader},
    net::{TcpListener, TcpStream},
    sync::watch,
};
use tokio_util::task::TaskTracker;

/// How it answers.
#[derive(Debug, Clone)]
pub enum Answer {
    /// This status, these headers, this body.
    Status(u16, Vec<(&'static str, String)>, &'static str),
    /// Never.
    Hang,
    /// By a reset, once the request is read.
    Reset,
    /// With a body that never ends.
    EndlessBody,
}

/// A request as it arrived.
#[derive(Debug, Clone)]
pub struct Post {
    /// Where it was posted.
    pub path: String,
    /// Names in lower case.
    pub headers: BTreeMap<String, String>,
    /// What was posted.
    pub body: String,
}

impl Post {
    /// The body, which must be JSON.
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.body).expect("the body is JSON")
    }
}

/// A receiver on a free port of loopback.
#[derive(Debug)]
pub struct Receiver {
    /// Such as `http://127.0.0.1:40123`.
    pub url: String,
    posts: watch::Receiver<Vec<Post>>,
    /// Used up from the front; the last one stays.
    answers: Arc<Mutex<Vec<Answer>>>,
}

/// Yes.
pub fn ok() -> Answer {
    Answer::Status(200, vec![], "ok")
}

/// That status, and no word.
pub fn status(code: u16) -> Answer {
    Answer::Status(code, vec![], "")
}

impl Receiver {
    /// Listens, and gives these answers one after the other, the last one for ever.
    pub async fn start(answers: Vec<Answer>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("loopback has a free port");
        let address = listener.local_addr().expect("it listens");
        let url = format!("http://{address}");
        let answers = Arc::new(Mutex::new(answers));
        let (arrived, posts) = watch::channel(Vec::new());
        TaskTracker::new().spawn(listen(listener, Arc::new(arrived), Arc::clone(&answers)));
        Self { url, posts, answers }
    }

    /// Gives these answers from now on.
    pub fn answer(&self, answers: Vec<Answer>) {
        *self.answers.lock().unwrap_or_else(PoisonError::into_inner) = answers;
    }

    /// All that has arrived so far.
    pub fn posts(&self) -> Vec<Post> {
        self.posts.borrow().clone()
    }

    /// Waits until as many as that have arrived.
    pub async fn arrived(&self, count: usize) -> Vec<Post> {
        self.until(|posts| posts.len() >= count).await
    }

    /// Waits until what has arrived is as it should be.
    pub async fn until(&self, fits: impl Fn(&[Post]) -> bool) -> Vec<Post> {
        let mut posts = self.posts.clone();
        let arrived = posts.wait_for(|posts| fits(posts));
        let arrived = tokio::time::timeout(Duration::from_secs(30), arrived).await;
        arrived.expect("the posts arrive").expect("it listens as long as it lives").clone()
    }
}

async fn listen(
    listener: TcpListener,
    arrived: Arc<watch::Sender<Vec<Post>>>,
    answers: Arc<Mutex<Vec<Answer>>>,
) {
    let tasks = TaskTracker::new();
    while let Ok((stream, _)) = listener.accept().await {
        tasks.spawn(serve(stream, Arc::clone(&arrived), Arc::clone(&answers)));
    }
}

async fn serve(
    stream: TcpStream,
    arrived: Arc<watch::Sender<Vec<Post>>>,
    answers: Arc<Mutex<Vec<Answer>>>,
) {
    let mut stream = BufReader::new(stream);
    let Some(post) = read(&mut stream).await else { return };
    let answer = {
        let mut answers = answers.lock().unwrap_or_else(PoisonError::into_inner);
        if answers.len() > 1 { answers.remove(0) } else { answers[0].clone() }
    };
    arrived.send_modify(|posts| posts.push(post));
    match answer {
        Answer::Status(code, headers, body) => {
            let mut head = format!("HTTP/1.1 {code} Because\r\nconnection: close\r\n");
            for (name, value) in headers {
                let _cannot_fail = write!(head, "{name}: {value}\r\n");
            }
            let length = body.len();
            let answer = format!("{head}content-length: {length}\r\n\r\n{body}");
            let _client_has_left = stream.write_all(answer.as_bytes()).await;
        }
        Answer::Hang => std::future::pending().await,
        Answer::Reset => stream.get_ref().set_zero_linger().expect("it is connected"),
        Answer::EndlessBody => {
            let head = b"HTTP/1.1 400 Because\r\nconnection: close\r\n\r\n";
            let mut written = stream.write_all(head).await;
            while written.is_ok() {
                written = stream.write_all(&[b'x'; 4096]).await;
            }
        }
    }
}

async fn read(stream: &mut BufReader<TcpStream>) -> Option<Post> {
    let mut line = String::new();
    stream.read_line(&mut line).await.ok()?;
    let path = line.split(' ').nth(1)?.to_owned();
    let mut headers = BTreeMap::new();
    loop {
        line.clear();
        stream.read_line(&mut line).await.ok()?;
        let Some((name, value)) = line.trim_end().split_once(": ") else { break };
        headers.insert(name.to_lowercase(), value.to_owned());
    }
    let length = headers.get("content-length")?.parse().ok()?;
    let mut body = vec![0; length];
    stream.read_exact(&mut body).await.ok()?;
    Some(Post { path, headers, body: String::from_utf8(body).ok()? })
}
