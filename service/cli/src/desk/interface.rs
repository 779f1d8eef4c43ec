//! The socket at which software on this machine asks the desk, as `libhealthcard` does.
//!
//! It lies in a directory that only the desk's user may enter, and serves that user's processes
//! alone. Each connection brings one request. Few are served at once, none is waited for without
//! end, and what is no request is answered as such.

use std::{
    fs::{self, File, Permissions},
    io,
    os::unix::{
        fs::{FileTypeExt as _, MetadataExt as _, PermissionsExt as _},
        net::UnixStream as Probe,
    },
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, Instant},
};

use card::agent::{Answer, MAX_REQUEST, Refusal, Request, length};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{UnixListener, UnixStream},
    sync::{
        Semaphore,
        mpsc::{self, Receiver, Sender},
        oneshot,
    },
    task::AbortHandle,
    time::{sleep, timeout},
};
use zeroize::Zeroizing;

use crate::{
    failure::Failure,
    files,
    text::{Problem, problems},
};

/// Connections that are served at once; others wait to be accepted.
const MOST_CONNECTIONS: usize = 16;
/// Longest that a request may take to arrive, and its answer to be taken.
const TRANSIT: Duration = Duration::from_secs(5);
/// Longest that a request waits for its card.
const PATIENCE: Duration = Duration::from_secs(10);
/// How long to wait when no connection can be accepted.
const RETRY: Duration = Duration::from_millis(200);

/// A request that waits for its answer.
#[derive(Debug)]
pub(super) struct Asked {
    pub(super) request: Request,
    pub(super) answer: oneshot::Sender<Answer>,
    /// When it is no longer waited for.
    pub(super) until: Instant,
}

/// The open socket. Dropped, it is gone.
pub(super) struct Interface {
    path: PathBuf,
    asked: Receiver<Asked>,
    listening: AbortHandle,
}

impl Interface {
    /// Opens the socket. One that a desk left behind is replaced.
    pub(super) fn open(path: &Path) -> Result<Self, Failure> {
        Self::with(path, TRANSIT)
    }

    fn with(path: &Path, transit: Duration) -> Result<Self, Failure> {
        let unavailable =
            |error: io::Error| told(problems::INTERFACE_UNAVAILABLE, path).about(error);
        let directory = path.parent().filter(|parent| !parent.as_os_str().is_empty());
        let directory = directory.unwrap_or(Path::new("."));
        files::make_directory(directory)?;
        if files::is_exposed(directory).map_err(unavailable)? {
            return Err(told(problems::INTERFACE_EXPOSED, directory));
        }
        // Held until the socket is there, so that of two desks one finds the other's.
        let turn = File::open(directory).map_err(unavailable)?;
        turn.lock().map_err(unavailable)?;
        make_way(path)?;
        let listener = UnixListener::bind(path).map_err(unavailable)?;
        let ended = |error| {
            // Nobody is to find a socket that nobody serves.
            let _ = fs::remove_file(path);
            error
        };
        let owner = owned(path, directory).map_err(|error| ended(unavailable(error)))?;
        let owner = owner.ok_or_else(|| ended(told(problems::INTERFACE_EXPOSED, directory)))?;
        let (ask, asked) = mpsc::channel(MOST_CONNECTIONS);
        let listening = tokio::spawn(listen(listener, owner, ask, transit)).abort_handle();
        Ok(Self { path: path.to_owned(), asked, listening })
    }

    /// The next request. Cancelling loses nothing.
    pub(super) async fn next(&mut self) -> Option<Asked> {
        self.asked.recv().await
    }
}

impl Drop for Interface {
    fn drop(&mut self) {
        self.listening.abort();
        // What somebody else put there meanwhile is in a directory of this user's alone.
        let _ = fs::remove_file(&self.path);
    }
}

fn told(problem: Problem, path: &Path) -> Failure {
    Failure::of(problem).about(path.display())
}

/// Removes the socket of a desk that is no more.
fn make_way(path: &Path) -> Result<(), Failure> {
    let unavailable = |error: io::Error| told(problems::INTERFACE_UNAVAILABLE, path).about(error);
    match fs::symlink_metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(unavailable(error)),
        Ok(found) if !found.file_type().is_socket() => Err(told(problems::INTERFACE_IN_USE, path)),
        Ok(_) => match Probe::connect(path) {
            Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => {
                fs::remove_file(path).map_err(unavailable)
            }
            Ok(_) | Err(_) => Err(told(problems::INTERFACE_IN_USE, path)),
        },
    }
}

/// Closes the new socket to others; its owner, when the directory is theirs as well.
fn owned(path: &Path, directory: &Path) -> io::Result<Option<u32>> {
    fs::set_permissions(path, Permissions::from_mode(0o600))?;
    let owner = fs::symlink_metadata(path)?.uid();
    Ok((fs::metadata(directory)?.uid() == owner).then_some(owner))
}

async fn listen(listener: UnixListener, owner: u32, ask: Sender<Asked>, transit: Duration) {
    let places = Arc::new(Semaphore::new(MOST_CONNECTIONS));
    while let Ok(place) = Arc::clone(&places).acquire_owned().await {
        match listener.accept().await {
            Ok((stream, _)) => {
                let ask = ask.clone();
                tokio::spawn(async move {
                    // Who does not keep to the form, or hangs up, is owed nothing.
                    let _ = converse(stream, owner, &ask, transit).await;
                    drop(place);
                });
            }
            Err(_) => sleep(RETRY).await,
        }
    }
}

/// One request and its answer.
async fn converse(
    mut stream: UnixStream,
    owner: u32,
    ask: &Sender<Asked>,
    transit: Duration,
) -> io::Result<()> {
    if stream.peer_cred()?.uid() != owner {
        return Ok(());
    }
    let answer = match timeout(transit, request(&mut stream)).await?? {
        None => Answer::Refused(Refusal::Request),
        Some(request) => {
            let (answer, told) = oneshot::channel();
            let asked = Asked { request, answer, until: Instant::now() + PATIENCE };
            // The desk has ended when it does not listen.
            let _ = ask.send(asked).await;
            tokio::select! {
                told = told => told.unwrap_or(Answer::Refused(Refusal::Away)),
                // Nothing more is to come: they have hung up, and nobody waits for an answer.
                _ = stream.read_u8() => return Ok(()),
            }
        }
    };
    let sent = answer.encode().or_else(|| Answer::Refused(Refusal::Failed).encode());
    timeout(transit, stream.write_all(&sent.unwrap_or_default())).await?
}

/// The request; `None` when it is none.
async fn request(stream: &mut UnixStream) -> io::Result<Option<Request>> {
    let mut head = [0; 4];
    stream.read_exact(&mut head).await?;
    let Some(length) = length(head, MAX_REQUEST) else { return Ok(None) };
    let mut message = Zeroizing::new(vec![0; length]);
    stream.read_exact(&mut message).await?;
    Ok(Request::decode(&message))
}

#[cfg(test)]
mod tests;
