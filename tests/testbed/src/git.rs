//! Git repositories as a Git host serves them: smart HTTP, by Git's own `git http-backend`.

use std::fs;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::{HeaderMap, Method, Response, StatusCode, Uri, header};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpListener;
use tokio::runtime::Runtime;

use crate::Error;
use crate::leash::{Leash, PartFolder};

/// Serves repositories on loopback, to whoever reads.
pub struct GitServer {
    address: SocketAddr,
    // Before the folder: it reads from there until it has ended.
    _runtime: Runtime,
    folder: PartFolder,
}

impl GitServer {
    /// Starts serving on a free port.
    ///
    /// # Errors
    /// Where it cannot listen.
    pub fn start() -> Result<Self, Error> {
        let folder = Leash::get()?.folder("git")?;
        let serve = || {
            let mut runtime = tokio::runtime::Builder::new_multi_thread();
            let runtime = runtime.worker_threads(1).enable_all().build()?;
            let listener = runtime.block_on(TcpListener::bind((Ipv4Addr::LOCALHOST, 0)))?;
            let address = listener.local_addr()?;
            let root: Arc<Path> = folder.path().into();
            let router = Router::new().fallback(backend).with_state(root);
            runtime.spawn(async move { axum::serve(listener, router).await });
            Ok((runtime, address))
        };
        let (runtime, address) = serve().map_err(Error::io("cannot serve Git repositories"))?;
        Ok(Self {
            address,
            _runtime: runtime,
            folder,
        })
    }

    /// Makes an empty repository with the branch `main`.
    ///
    /// # Errors
    /// Where Git refuses.
    pub fn repository(&self, name: &str) -> Result<Repository, Error> {
        let repository = Repository {
            files: self.folder.path().join(name),
            url: format!("http://{}/{name}.git", self.address),
        };
        fs::create_dir(&repository.files).map_err(Error::file("make", &repository.files))?;
        let served = format!("--separate-git-dir=../{name}.git");
        repository.git(&["init", "--quiet", "--initial-branch=main", &served])?;
        Ok(repository)
    }
}

/// A repository that is served, and its files.
pub struct Repository {
    files: PathBuf,
    url: String,
}

impl Repository {
    /// Where it is read.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Writes a file, which [`Repository::commit`] adds.
    ///
    /// # Errors
    /// Where it cannot be written.
    pub fn write(&self, path: &str, text: &str) -> Result<(), Error> {
        let path = self.files.join(path);
        let folder = path.parent().unwrap_or(&self.files);
        fs::create_dir_all(folder).map_err(Error::file("make", folder))?;
        fs::write(&path, text).map_err(Error::file("write", &path))
    }

    /// Removes a file, as [`Repository::commit`] will.
    ///
    /// # Errors
    /// Where it is not there.
    pub fn remove(&self, path: &str) -> Result<(), Error> {
        let path = self.files.join(path);
        fs::remove_file(&path).map_err(Error::file("remove", &path))
    }

    /// Commits all that was written and removed; the answer is the commit's id.
    ///
    /// # Errors
    /// Where Git refuses, also because nothing was changed.
    pub fn commit(&self, message: &str) -> Result<String, Error> {
        self.git(&["add", "--all"])?;
        self.git(&["commit", "--quiet", "--message", message])?;
        self.head()
    }

    /// `git revert` of a commit; the answer is the new commit's id.
    ///
    /// # Errors
    /// Where Git refuses.
    pub fn revert(&self, commit: &str) -> Result<String, Error> {
        self.git(&["revert", "--no-edit", commit])?;
        self.head()
    }

    fn head(&self) -> Result<String, Error> {
        let id = self.git(&["rev-parse", "HEAD"])?;
        Ok(id.trim().to_owned())
    }

    fn git(&self, arguments: &[&str]) -> Result<String, Error> {
        let mut command = git();
        command.current_dir(&self.files).args(arguments);
        let output = command.output().map_err(Error::io("cannot start git"))?;
        if output.status.success() {
            return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
        }
        Err(Error::Refused {
            command: format!("git {}", arguments.join(" ")),
            status: output.status,
            stderr: String::from_utf8_lossy(&output.stderr)
                .trim_end()
                .to_owned(),
        })
    }
}

/// Git without what whoever runs the tests has configured.
fn git() -> Command {
    let mut command = Command::new("git");
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("GIT_") {
            command.env_remove(name);
        }
    }
    command
        .env("GIT_CONFIG_GLOBAL", "/dev/null")
        .env("GIT_CONFIG_SYSTEM", "/dev/null")
        .args([
            "-c",
            "user.name=Tests",
            "-c",
            "user.email=tests@example.com",
        ])
        .args(["-c", "gc.auto=0"])
        .stdin(Stdio::null());
    command
}

/// Lets `git http-backend` answer a request, by the Common Gateway Interface (RFC 3875).
async fn backend(
    State(root): State<Arc<Path>>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response<Body> {
    match answer(&root, &method, &uri, &headers, &body).await {
        Ok(response) => response,
        Err(error) => {
            let mut response = Response::new(Body::from(error.to_string()));
            *response.status_mut() = StatusCode::INTERNAL_SERVER_ERROR;
            response
        }
    }
}

async fn answer(
    root: &Path,
    method: &Method,
    uri: &Uri,
    headers: &HeaderMap,
    body: &[u8],
) -> io::Result<Response<Body>> {
    let mut command = git();
    command
        .arg("http-backend")
        .env("GIT_PROJECT_ROOT", root)
        .env("GIT_HTTP_EXPORT_ALL", "1")
        .env("REQUEST_METHOD", method.as_str())
        .env("PATH_INFO", uri.path())
        .env("QUERY_STRING", uri.query().unwrap_or_default())
        .env("CONTENT_LENGTH", body.len().to_string());
    let variables = [
        (header::CONTENT_TYPE.as_str(), "CONTENT_TYPE"),
        (header::CONTENT_ENCODING.as_str(), "HTTP_CONTENT_ENCODING"),
        ("git-protocol", "GIT_PROTOCOL"),
    ];
    for (name, variable) in variables {
        if let Some(value) = headers.get(name).and_then(|value| value.to_str().ok()) {
            command.env(variable, value);
        }
    }
    command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let mut child = tokio::process::Command::from(command)
        .kill_on_drop(true)
        .spawn()?;
    let mut stdin = child.stdin.take().expect("it was asked for");
    let (written, output) = tokio::join!(
        async {
            let written = stdin.write_all(body).await;
            drop(stdin);
            written
        },
        child.wait_with_output(),
    );
    written?;
    let output = output?;
    response(&output.stdout).ok_or_else(|| {
        let stderr = String::from_utf8_lossy(&output.stderr);
        io::Error::other(format!("git http-backend: {}: {stderr}", output.status))
    })
}

/// What a program printed by the Common Gateway Interface: headers, an empty line, the body.
fn response(printed: &[u8]) -> Option<Response<Body>> {
    let end = printed.windows(4).position(|four| four == b"\r\n\r\n")?;
    let mut response = Response::builder();
    for line in str::from_utf8(&printed[..end]).ok()?.lines() {
        let (name, value) = line.split_once(':')?;
        let value = value.trim();
        response = if name.eq_ignore_ascii_case("status") {
            response.status(value.split(' ').next()?)
        } else {
            response.header(name, value)
        };
    }
    response.body(Body::from(printed[end + 4..].to_vec())).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_committed_can_be_cloned_and_reverted() {
        let server = GitServer::start().unwrap();
        let repository = server.repository("fleet").unwrap();
        repository.write("images/web.yaml", "first").unwrap();
        repository.commit("first").unwrap();
        repository.write("images/web.yaml", "second").unwrap();
        let second = repository.commit("second").unwrap();
        let head = repository.revert(&second).unwrap();

        let folder = tempfile::tempdir().unwrap();
        let mut clone = git();
        clone.args(["clone", "--quiet", repository.url()]);
        let status = clone.arg(folder.path().join("clone")).status().unwrap();

        assert!(status.success());
        let cloned = folder.path().join("clone");
        let text = fs::read_to_string(cloned.join("images/web.yaml")).unwrap();
        assert_eq!(text, "first");
        let log = git()
            .current_dir(&cloned)
            .args(["log", "--format=%H"])
            .output();
        let log = String::from_utf8(log.unwrap().stdout).unwrap();
        assert_eq!(log.lines().count(), 3);
        assert!(log.starts_with(&head));
    }

    #[test]
    fn what_is_not_there_is_not_found() {
        let server = GitServer::start().unwrap();
        let url = format!("http://{}/none.git/info/refs", server.address);
        let error = crate::get_text(&url).unwrap_err();
        assert!(error.to_string().contains("404"), "{error}");
    }
}
