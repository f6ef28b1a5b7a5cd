//! Replicas over a small API server of one Lease, with tokio's clock paused.

use std::convert::Infallible;
use std::sync::Mutex;

use http::{Method, Request, Response, StatusCode};
use http_body_util::{BodyExt, Full};
use kube::client::Body;
use serde_json::{Value, json};
use tokio::time::{Instant, advance, sleep, timeout};

use super::*;

const SECOND: Duration = Duration::from_secs(1);
const LEASE: Duration = Duration::from_mins(1);

/// What happens to calls on their way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Trouble {
    None,
    /// They do not arrive.
    Lost,
    /// Writes are done, and nobody is told.
    AnswerLost,
    /// They arrive, and are answered after a while.
    Slow(Duration),
}

/// An API server that holds one Lease.
#[derive(Clone, Default)]
struct Server(Arc<Mutex<Stored>>);

#[derive(Default)]
struct Stored {
    lease: Option<Value>,
    version: u64,
}

impl Server {
    fn lease(&self) -> Option<Value> {
        self.0.lock().unwrap().lease.clone()
    }

    fn holder(&self) -> Option<String> {
        let holder = &self.lease()?["spec"]["holderIdentity"];
        holder.as_str().map(str::to_owned)
    }

    /// As an operator, or a backup, puts it.
    fn put(&self, lease: Option<Value>) {
        let mut stored = self.0.lock().unwrap();
        stored.version += 1;
        let version = stored.version.to_string();
        stored.lease = lease.map(|mut lease| {
            lease["metadata"]["resourceVersion"] = json!(version);
            lease
        });
    }

    /// A replica, and what happens to its calls.
    fn replica(&self, name: &str) -> (Candidate, Arc<Mutex<Trouble>>) {
        let trouble = Arc::new(Mutex::new(Trouble::None));
        let (server, troubled) = (self.clone(), trouble.clone());
        let service = tower::service_fn(move |request: Request<Body>| {
            let (server, trouble) = (server.clone(), *troubled.lock().unwrap());
            async move {
                if trouble == Trouble::Lost {
                    std::future::pending::<()>().await;
                }
                let is_write = request.method() != Method::GET;
                let answer = server.answer(request).await;
                match trouble {
                    Trouble::AnswerLost if is_write => std::future::pending().await,
                    Trouble::Slow(time) => sleep(time).await,
                    _ => {}
                }
                Ok::<_, Infallible>(answer)
            }
        });
        let settings = Settings {
            namespace: "amity-system".to_owned(),
            holder: name.to_owned(),
            duration: LEASE,
        };
        let clock = Clock::virtual_from("2026-03-01T00:00:00Z".parse().unwrap());
        let client = Client::new(service, "default");
        (Candidate::new(client, clock, settings), trouble)
    }

    async fn answer(&self, request: Request<Body>) -> Response<Full<bytes::Bytes>> {
        let (parts, body) = request.into_parts();
        assert!(
            parts
                .uri
                .path()
                .starts_with("/apis/coordination.k8s.io/v1/namespaces/amity-system/leases")
        );
        let body = body.collect().await.unwrap().to_bytes();
        let body: Value = serde_json::from_slice(&body).unwrap_or_default();
        let (status, body) = self.handle(&parts.method, body);
        let mut response = Response::new(Full::from(body.to_string()));
        *response.status_mut() = status;
        response
    }

    fn handle(&self, method: &Method, body: Value) -> (StatusCode, Value) {
        let mut stored = self.0.lock().unwrap();
        let refuse = |status: StatusCode, reason: &str| {
            let answer = json!({
                "kind": "Status", "apiVersion": "v1", "status": "Failure", "reason": reason, "message": reason,
                "code": status.as_u16(),
            });
            (status, answer)
        };
        let version = |lease: &Value| lease["metadata"]["resourceVersion"].clone();
        match (method.as_str(), &stored.lease) {
            ("GET", Some(lease)) => return (StatusCode::OK, lease.clone()),
            ("GET" | "PUT", None) => return refuse(StatusCode::NOT_FOUND, "NotFound"),
            ("POST", None) => {}
            ("POST", Some(_)) => return refuse(StatusCode::CONFLICT, "AlreadyExists"),
            ("PUT", Some(lease)) if version(lease) == version(&body) => {}
            ("PUT", Some(_)) => return refuse(StatusCode::CONFLICT, "Conflict"),
            other => panic!("{other:?}"),
        }
        stored.version += 1;
        let mut lease = body;
        lease["metadata"]["resourceVersion"] = json!(stored.version.to_string());
        stored.lease = Some(lease.clone());
        (StatusCode::OK, lease)
    }
}

/// A replica that acts whenever it may, for ever.
fn runs(candidate: Candidate, terms: &Terms) -> JoinSet<()> {
    let terms = terms.clone();
    let mut task = JoinSet::new();
    task.spawn(async move {
        loop {
            let mut leadership = candidate.acquire().await;
            let holder = candidate.settings.holder.clone();
            terms
                .0
                .lock()
                .unwrap()
                .push((holder, Instant::now(), leadership.term()));
            leadership.lost().await;
        }
    });
    task
}

/// Who led, since when, and how long each may act.
#[derive(Clone, Default)]
struct Terms(Arc<Mutex<Vec<Begun>>>);

type Begun = (String, Instant, Arc<Term>);

impl Terms {
    /// Lets time pass, and looks that never two may act.
    async fn pass(&self, time: Duration) {
        let until = Instant::now() + time;
        while Instant::now() < until {
            sleep(Duration::from_millis(100)).await;
            let who = self.who_may_act();
            assert!(who.len() <= 1, "{who:?}");
        }
    }

    fn who_may_act(&self) -> Vec<String> {
        let terms = self.0.lock().unwrap();
        let open = terms
            .iter()
            .filter(|(_, _, term)| term.outlasts(Duration::ZERO));
        open.map(|(holder, ..)| holder.clone()).collect()
    }

    fn holders(&self) -> Vec<String> {
        let terms = self.0.lock().unwrap();
        terms.iter().map(|(holder, ..)| holder.clone()).collect()
    }

    /// When the last leader began.
    fn last_began(&self) -> Instant {
        self.0.lock().unwrap().last().unwrap().1
    }
}

#[tokio::test(start_paused = true)]
async fn a_leader_that_renews_is_not_replaced() {
    let (server, terms) = (Server::default(), Terms::default());
    let _first = runs(server.replica("first").0, &terms);
    terms.pass(SECOND).await;
    let _second = runs(server.replica("second").0, &terms);
    terms.pass(Duration::from_hours(1)).await;
    assert_eq!(terms.holders(), ["first"]);
    let spec = server.lease().unwrap()["spec"].clone();
    assert_eq!(spec["holderIdentity"], "first");
    assert_eq!(spec["leaseDurationSeconds"], 60);
    assert_eq!(spec["leaseTransitions"], 1);
    assert!(spec["acquireTime"].as_str() < spec["renewTime"].as_str());
}

#[tokio::test(start_paused = true)]
async fn of_two_that_find_it_free_one_leads() {
    let (server, terms) = (Server::default(), Terms::default());
    let _both = ["first", "second"].map(|name| runs(server.replica(name).0, &terms));
    terms.pass(Duration::from_mins(5)).await;
    assert_eq!(terms.holders().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_leader_that_dies_is_replaced_when_its_lease_has_run_out() {
    let (server, terms) = (Server::default(), Terms::default());
    let first = runs(server.replica("first").0, &terms);
    terms.pass(SECOND).await;
    let _second = runs(server.replica("second").0, &terms);
    terms.pass(Duration::from_mins(10)).await;
    drop(first);
    let died = Instant::now();
    terms.pass(Duration::from_mins(2)).await;
    assert_eq!(terms.holders(), ["first", "second"]);
    let waited = terms.last_began() - died;
    // It renewed last within the 15 s before it died, and the other looks every 2 s.
    assert!(waited > 44 * SECOND && waited < 63 * SECOND, "{waited:?}");
    assert_eq!(server.lease().unwrap()["spec"]["leaseTransitions"], 2);
}

#[tokio::test(start_paused = true)]
async fn a_lease_that_is_released_is_taken_at_once() {
    let (server, terms) = (Server::default(), Terms::default());
    let leadership = server.replica("first").0.acquire().await;
    let _second = runs(server.replica("second").0, &terms);
    terms.pass(Duration::from_mins(5)).await;
    assert_eq!(terms.holders(), Vec::<String>::new());
    let term = leadership.term();
    leadership.release().await;
    assert!(!term.outlasts(Duration::ZERO));
    assert_eq!(server.holder(), None);
    terms.pass(3 * SECOND).await;
    assert_eq!(terms.holders(), ["second"]);
}

#[tokio::test(start_paused = true)]
async fn a_release_is_not_undone_by_a_renewal_that_was_under_way() {
    let server = Server::default();
    let (candidate, trouble) = server.replica("first");
    let leadership = candidate.acquire().await;
    *trouble.lock().unwrap() = Trouble::AnswerLost;
    sleep(16 * SECOND).await;
    *trouble.lock().unwrap() = Trouble::None;
    leadership.release().await;
    assert_eq!(server.holder(), None);
}

#[tokio::test(start_paused = true)]
async fn who_cannot_renew_stops_before_another_begins() {
    let (server, terms) = (Server::default(), Terms::default());
    let (candidate, trouble) = server.replica("first");
    let _first = runs(candidate, &terms);
    terms.pass(SECOND).await;
    let _second = runs(server.replica("second").0, &terms);
    terms.pass(Duration::from_mins(3)).await;
    *trouble.lock().unwrap() = Trouble::Lost;
    terms.pass(Duration::from_mins(2)).await;
    assert_eq!(terms.who_may_act(), ["second"]);
    *trouble.lock().unwrap() = Trouble::None;
    terms.pass(Duration::from_mins(2)).await;
    assert_eq!(terms.holders(), ["first", "second"]);
}

#[tokio::test(start_paused = true)]
async fn a_short_outage_costs_nobody_the_lease() {
    let (server, terms) = (Server::default(), Terms::default());
    let (candidate, trouble) = server.replica("first");
    let _first = runs(candidate, &terms);
    terms.pass(14 * SECOND).await;
    for kind in [Trouble::Lost, Trouble::AnswerLost] {
        *trouble.lock().unwrap() = kind;
        terms.pass(25 * SECOND).await;
        assert_eq!(terms.who_may_act(), ["first"]);
        *trouble.lock().unwrap() = Trouble::None;
        terms.pass(LEASE).await;
    }
    assert_eq!(terms.holders(), ["first"]);
}

#[tokio::test(start_paused = true)]
async fn it_is_held_from_before_the_renewal_was_sent() {
    let server = Server::default();
    let (candidate, trouble) = server.replica("first");
    *trouble.lock().unwrap() = Trouble::Slow(5 * SECOND);
    // It is read, and then written.
    let leadership = candidate.acquire().await;
    let term = leadership.term();
    assert!(term.outlasts(51 * SECOND), "{:?}", term.left());
    assert!(!term.outlasts(52 * SECOND), "{:?}", term.left());
    assert_eq!(candidate.settings.surely(), 57 * SECOND);
    assert_eq!(candidate.settings.call_timeout(), 30 * SECOND);
}

#[tokio::test(start_paused = true)]
async fn who_wakes_an_hour_later_may_not_act() {
    let server = Server::default();
    let mut leadership = server.replica("first").0.acquire().await;
    let term = leadership.term();
    assert!(term.outlasts(30 * SECOND));

    // Nobody has run yet when the clock shows an hour more.
    advance(Duration::from_hours(1)).await;

    assert!(!term.outlasts(Duration::ZERO));
    let why = timeout(SECOND, leadership.lost()).await.unwrap();
    assert!(why.contains("ran out"), "{why}");
}

#[tokio::test(start_paused = true)]
async fn what_somebody_deletes_is_lost_and_waited_for() {
    let (server, terms) = (Server::default(), Terms::default());
    let (candidate, trouble) = server.replica("first");
    let _first = runs(candidate, &terms);
    terms.pass(SECOND).await;
    let _second = runs(server.replica("second").0, &terms);
    terms.pass(Duration::from_mins(1)).await;
    // The holder is not told.
    *trouble.lock().unwrap() = Trouble::Lost;
    server.put(None);
    terms.pass(Duration::from_mins(2)).await;
    assert_eq!(terms.who_may_act(), ["second"]);
}

#[tokio::test(start_paused = true)]
async fn who_never_saw_a_holder_waits_for_nobody() {
    let server = Server::default();
    drop(server.replica("first").0.acquire().await);
    server.put(None);
    let began = Instant::now();
    server.replica("second").0.acquire().await;
    assert!(began.elapsed() < SECOND);
}

#[tokio::test(start_paused = true)]
async fn after_a_backup_was_restored_the_leader_begins_anew() {
    let (server, terms) = (Server::default(), Terms::default());
    let _first = runs(server.replica("first").0, &terms);
    terms.pass(SECOND).await;
    let backup = server.lease();
    let _second = runs(server.replica("second").0, &terms);
    terms.pass(Duration::from_mins(3)).await;
    server.put(backup);
    terms.pass(Duration::from_mins(3)).await;
    assert_eq!(terms.holders(), ["first", "first"]);
}

#[tokio::test(start_paused = true)]
async fn a_backup_in_which_nobody_leads_is_no_release() {
    let (server, terms) = (Server::default(), Terms::default());
    server.replica("earlier").0.acquire().await.release().await;
    let backup = server.lease();
    let (candidate, trouble) = server.replica("first");
    let _first = runs(candidate, &terms);
    terms.pass(SECOND).await;
    let _second = runs(server.replica("second").0, &terms);
    terms.pass(Duration::from_mins(3)).await;
    *trouble.lock().unwrap() = Trouble::Lost;
    server.put(backup);
    terms.pass(Duration::from_mins(3)).await;
    assert_eq!(terms.holders(), ["first", "second"]);
}
