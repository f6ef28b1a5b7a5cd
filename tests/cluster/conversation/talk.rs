//! How the conversation is held: what is asked, and what of an answer is noted.

use std::collections::BTreeMap;
use std::time::Duration;

use futures::StreamExt;
use futures::stream::BoxStream;
use http::{Method, Request};
use http_body_util::BodyExt;
use kube::Client;
use kube::client::Body;
use serde_json::{Value, json};

/// How long an event or a state is waited for that is sure to come.
const PATIENCE: Duration = Duration::from_mins(1);

/// How long nothing must happen for it to count as nothing.
const SILENCE: Duration = Duration::from_secs(1);

/// Full objects, or only their metadata.
pub const METADATA: &str = "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1";
pub const METADATA_LIST: &str = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1";

const JSON: &str = "application/json";
const MERGE: &str = "application/merge-patch+json";
const APPLY: &str = "application/apply-patch+yaml";

/// A conversation under way.
pub struct Talk<'a> {
    client: Client,
    pub server: Server<'a>,
    lines: Vec<String>,
    uids: Names,
    versions: Names,
}

/// What is done otherwise with the real server than with kubesim.
pub struct Server<'a> {
    /// Makes it forget what happened so far.
    pub forget: &'a dyn Fn(),
    /// What continues a list of namespace talk as of version 1 after the object named one.
    pub old_token: &'static str,
}

/// What stands for what differs from cluster to cluster.
#[derive(Default)]
struct Names(BTreeMap<String, String>);

impl Names {
    fn of(&mut self, prefix: &str, value: &str) -> String {
        let next = format!("{prefix}{}", self.0.len() + 1);
        self.0.entry(value.to_owned()).or_insert(next).clone()
    }
}

/// The lines of a watch.
pub struct Watching {
    lines: BoxStream<'static, String>,
}

impl<'a> Talk<'a> {
    pub fn new(client: Client, server: Server<'a>) -> Self {
        Self {
            client,
            server,
            lines: Vec::new(),
            uids: Names::default(),
            versions: Names::default(),
        }
    }

    /// All that was noted.
    pub fn into_lines(self) -> Vec<String> {
        self.lines
    }

    /// Begins a part of the conversation.
    pub fn chapter(&mut self, what: &str) {
        self.note(format!("# {what}"));
    }

    fn note(&mut self, line: String) {
        self.lines.push(line);
    }

    pub async fn get(&mut self, path: &str) -> Value {
        self.ask(Method::GET, path, JSON, JSON, None).await
    }

    /// GET with another `Accept`.
    pub async fn get_as(&mut self, accept: &str, path: &str) -> Value {
        self.ask(Method::GET, path, accept, JSON, None).await
    }

    pub async fn post(&mut self, path: &str, body: Value) -> Value {
        self.ask(Method::POST, path, JSON, JSON, Some(body)).await
    }

    pub async fn put(&mut self, path: &str, body: Value) -> Value {
        self.ask(Method::PUT, path, JSON, JSON, Some(body)).await
    }

    pub async fn merge(&mut self, path: &str, body: Value) -> Value {
        self.ask(Method::PATCH, path, JSON, MERGE, Some(body)).await
    }

    /// A merge patch that is answered with the metadata only.
    pub async fn merge_metadata(&mut self, path: &str, body: Value) -> Value {
        self.ask(Method::PATCH, path, METADATA, MERGE, Some(body))
            .await
    }

    pub async fn apply(&mut self, path: &str, config: Value) -> Value {
        self.ask(Method::PATCH, path, JSON, APPLY, Some(config))
            .await
    }

    pub async fn delete(&mut self, path: &str, options: Value) -> Value {
        self.ask(Method::DELETE, path, JSON, JSON, Some(options))
            .await
    }

    async fn ask(
        &mut self,
        method: Method,
        path: &str,
        accept: &str,
        type_: &str,
        body: Option<Value>,
    ) -> Value {
        let asked = format!("{method} {}", shown_path(path));
        let (status, answer) = self.send(method, path, accept, type_, body).await;
        let shown = self.shown(&answer);
        self.note(format!("{asked} → {status} {shown}"));
        answer
    }

    /// Two who create the same at once; which one wins is not noted.
    pub async fn race_to_create(&mut self, path: &str, bodies: [Value; 2]) {
        self.race(Method::POST, path, bodies).await;
    }

    /// Two who replace the same at once; which one wins is not noted.
    pub async fn race_to_replace(&mut self, path: &str, bodies: [Value; 2]) {
        self.race(Method::PUT, path, bodies).await;
    }

    async fn race(&mut self, method: Method, path: &str, [one, other]: [Value; 2]) {
        let answers = tokio::join!(
            self.send(method.clone(), path, JSON, JSON, Some(one)),
            self.send(method.clone(), path, JSON, JSON, Some(other)),
        );
        let mut reasons = [answers.0, answers.1].map(|(status, answer)| {
            let reason = answer.get("reason").cloned().unwrap_or_default();
            format!("{status} {reason}")
        });
        reasons.sort();
        self.note(format!("{method} {path}, twice at once → {reasons:?}"));
    }

    /// Reads without a note.
    pub async fn get_silently(&self, path: &str) -> Value {
        self.send(Method::GET, path, JSON, JSON, None).await.1
    }

    async fn send(
        &self,
        method: Method,
        path: &str,
        accept: &str,
        type_: &str,
        body: Option<Value>,
    ) -> (u16, Value) {
        let body = body.map(|body| body.to_string().into_bytes());
        let request = Request::builder()
            .method(method)
            .uri(path)
            .header("accept", accept)
            .header("content-type", type_)
            .body(Body::from(body.unwrap_or_default()))
            .unwrap();
        let answer = self.client.send(request).await.unwrap();
        let status = answer.status().as_u16();
        let body = answer.into_body().collect().await.unwrap().to_bytes();
        let text = String::from_utf8_lossy(&body).into_owned();
        let value = serde_json::from_str(&text).unwrap_or(Value::String(text));
        (status, value)
    }

    /// Asks again and again until the answer has this status, and notes that one.
    pub async fn until(&mut self, path: &str, wanted: u16, done: impl Fn(&Value) -> bool) -> Value {
        let until = tokio::time::Instant::now() + PATIENCE;
        loop {
            let (status, answer) = self.send(Method::GET, path, JSON, JSON, None).await;
            if (status == wanted && done(&answer)) || tokio::time::Instant::now() > until {
                let shown = self.shown(&answer);
                self.note(format!("GET {path} → at last {status} {shown}"));
                return answer;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }

    /// Opens a watch.
    pub async fn watch(&mut self, path: &str, accept: &str) -> Watching {
        let request = Request::get(path)
            .header("accept", accept)
            .header("accept-encoding", "identity")
            .body(Body::empty())
            .unwrap();
        let answer = self.client.send(request).await.unwrap();
        let path = shown_path(path);
        self.note(format!("WATCH {path} → {}", answer.status().as_u16()));
        let pieces = answer.into_body().into_data_stream();
        let lines = pieces.scan(Vec::new(), |rest: &mut Vec<u8>, piece| {
            rest.extend_from_slice(&piece.unwrap());
            let end = rest.iter().rposition(|byte| *byte == b'\n');
            let whole: Vec<u8> = end.map_or_else(Vec::new, |end| rest.drain(..=end).collect());
            let text = String::from_utf8(whole).unwrap();
            let lines: Vec<_> = text.lines().map(str::to_owned).collect();
            std::future::ready(Some(futures::stream::iter(lines)))
        });
        Watching {
            lines: lines.flatten().boxed(),
        }
    }

    /// Notes the next events.
    pub async fn hear(&mut self, watching: &mut Watching, count: usize) {
        for _ in 0..count {
            match tokio::time::timeout(PATIENCE, watching.lines.next()).await {
                Ok(Some(line)) => {
                    let event: Value = serde_json::from_str(&line).unwrap();
                    let shown = self.shown(&event["object"]);
                    let type_ = event["type"].as_str().unwrap();
                    self.note(format!("  {type_} {shown}"));
                }
                Ok(None) => self.note("  the end".to_owned()),
                Err(_) => self.note("  nothing in time".to_owned()),
            }
        }
    }

    /// Notes whether nothing is told for a while.
    pub async fn hear_nothing(&mut self, watching: &mut Watching) {
        let next = tokio::time::timeout(SILENCE, watching.lines.next()).await;
        self.note(match next {
            Err(_) => "  silence".to_owned(),
            Ok(line) => format!("  {line:?}"),
        });
    }

    /// Notes the next event, whose version may be newer than anything that was written here.
    pub async fn hear_without_version(&mut self, watching: &mut Watching) {
        let line = watching.lines.next().await.unwrap_or_default();
        let mut event: Value = serde_json::from_str(&line).unwrap_or_default();
        event["object"]["metadata"]["resourceVersion"] = json!("of the server");
        self.note(format!("  {event}"));
    }

    /// Notes the types of the events until the end, which must be near: how many bookmarks come is up to the
    /// server.
    pub async fn hear_types_to_the_end(&mut self, watching: &mut Watching) {
        let mut types = Vec::new();
        while let Some(line) = watching.lines.next().await {
            let event: Value = serde_json::from_str(&line).unwrap();
            types.push(event["type"].as_str().unwrap().to_owned());
        }
        types.dedup();
        self.note(format!("  {types:?}, and the end"));
    }

    /// An answer as it is compared.
    fn shown(&mut self, answer: &Value) -> String {
        let mut answer = answer.clone();
        if let Some(Value::Array(items)) = answer.get_mut("items") {
            for item in items {
                self.name_what_differs(item);
                for field in ["apiVersion", "kind"] {
                    item.as_object_mut().unwrap().remove(field);
                }
            }
            // It may be newer than anything in the list.
            answer["metadata"]["resourceVersion"] = json!("of the list");
            // Whether it is left out or empty where there is no more differs from resource to resource.
            let metadata = answer["metadata"].as_object_mut().unwrap();
            if let Some(token) = metadata
                .remove("continue")
                .filter(|token| *token != json!(""))
            {
                assert!(token.is_string());
                metadata.insert("continue".to_owned(), json!("a token"));
            }
        } else {
            self.name_what_differs(&mut answer);
        }
        answer.to_string()
    }

    fn name_what_differs(&mut self, object: &mut Value) {
        for place in ["/metadata/uid", "/details/uid"] {
            if let Some(Value::String(uid)) = object.pointer_mut(place) {
                *uid = self.uids.of("uid-", uid);
            }
        }
        if let Some(Value::String(version)) = object.pointer_mut("/metadata/resourceVersion") {
            *version = self.versions.of("v", version);
        }
        for field in ["creationTimestamp", "deletionTimestamp"] {
            if let Some(Value::String(time)) = object.pointer_mut(&format!("/metadata/{field}")) {
                let shape = time.replace(|digit: char| digit.is_ascii_digit(), "0");
                *time = shape;
            }
        }
        if let Some(Value::Object(metadata)) = object.get_mut("metadata") {
            if let Some(token) = metadata.get_mut("continue") {
                *token = json!("a token");
            }
            metadata.remove("managedFields");
        }
        // What is in every event of the new kind for the sake of the old one.
        for field in [
            "deprecatedFirstTimestamp",
            "deprecatedLastTimestamp",
            "deprecatedSource",
        ] {
            object.as_object_mut().map(|object| object.remove(field));
        }
        let message = object.get_mut("message");
        if let Some(Value::String(message)) = message {
            *message = self.shown_message(message);
        }
        let causes = object.pointer_mut("/details/causes");
        for cause in causes.and_then(Value::as_array_mut).into_iter().flatten() {
            if let Some(Value::String(message)) = cause.get_mut("message") {
                *message = self.shown_message(message);
            }
        }
    }

    /// Words of the server, with names for uids and without numbers of versions.
    fn shown_message(&self, message: &str) -> String {
        let number = |word: &str| {
            let word = word.trim_matches(['(', ')', ',', ':', '.']);
            !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_digit())
        };
        let mut shown = Vec::new();
        for word in message.split(' ') {
            let is_version = number(word) && message.contains("ersion");
            shown.push(if is_version { "N" } else { word });
        }
        let shown = shown.join(" ");
        let named = |shown: String, (uid, name): (&String, &String)| shown.replace(uid, name);
        self.uids.0.iter().fold(shown, named)
    }
}

/// A path without the numbers in it that differ.
fn shown_path(path: &str) -> String {
    let Some((path, query)) = path.split_once('?') else {
        return path.to_owned();
    };
    let shown = query.split('&').map(|pair| match pair.split_once('=') {
        Some((key @ ("resourceVersion" | "continue"), _)) => format!("{key}=…"),
        _ => pair.to_owned(),
    });
    format!("{path}?{}", shown.collect::<Vec<_>>().join("&"))
}
