//! One test for each rule, named for the behaviour. Time is handed in; nothing sleeps.

mod attributes;
mod commands;
mod connector;
mod copy;
mod copy_across_accounts;
mod create;
mod deprecation;
mod deregister;
mod describe;
mod determinism;
mod ebs_defaults;
mod facts;
mod fast_launch;
mod fuzz;
mod iam;
mod identity;
mod kms;
mod launches;
mod limits;
mod machines;
mod paging;
mod parameters;
mod protection;
mod recycle_bin;
mod references;
mod register;
mod server;
mod sharing;
mod snapshots;
mod ssm;
mod tags;
mod templates;
mod timed_copy;
mod usage_report;
mod wire;
mod world_file;

use jiff::{SignedDuration, Timestamp};

use crate::{Answer, Caller, Knobs, Request, World};

const HOME: &str = "AKIAEC2SIMHOME000001";
const PARTNER: &str = "AKIAEC2SIMPARTNER001";
const INSTANCE: &str = "i-0a1b2c3d4e5f60718";
const GOLDEN: &str = "ami-0feedfacefeedface";
const GOLDEN_SNAPSHOT: &str = "snap-0feedfacefeedface";
const SHARED: &str = "ami-0beefcafebeefcafe";
const PUBLIC: &str = "ami-0a2b3c4d5e6f70819";

/// The example world, a moment, and a caller in it.
struct Ec2 {
    world: World,
    now: Timestamp,
    caller: Caller,
}

impl Ec2 {
    fn with(knobs: Knobs) -> Self {
        let world = World::example()
            .expect("the example is a world")
            .with_knobs(knobs);
        let now = "2026-06-01T12:00:00Z".parse().expect("a moment");
        Self {
            world,
            now,
            caller: Caller::ec2(HOME, "us-east-1"),
        }
    }

    /// A world where everything happens at once.
    fn calm() -> Self {
        Self::with(Knobs::calm())
    }

    /// A calm world where captures and copies take ten seconds.
    fn slow() -> Self {
        Self::with(Knobs {
            base_milliseconds: 10_000,
            ..Knobs::calm()
        })
    }

    fn wait(&mut self, seconds: i64) {
        self.now += SignedDuration::from_secs(seconds);
    }

    fn at(&mut self, region: &str) -> &mut Self {
        region.clone_into(&mut self.caller.region);
        self
    }

    fn as_key(&mut self, key: &str) -> &mut Self {
        self.caller.access_key_id = Some(key.to_owned());
        self
    }

    fn call(&mut self, action: &str, parameters: &[(&str, &str)]) -> Answer {
        self.world
            .call(self.now, &self.caller, &Request::new(action, parameters))
    }

    /// The body of an answer that must not be an error.
    fn ok(&mut self, action: &str, parameters: &[(&str, &str)]) -> String {
        let answer = self.call(action, parameters);
        assert_eq!(answer.error, None, "{action}: {}", answer.body);
        answer.body
    }

    /// Code and message of an answer that must be an error.
    fn refused(&mut self, action: &str, parameters: &[(&str, &str)]) -> (String, String) {
        let answer = self.call(action, parameters);
        let code = answer
            .error
            .clone()
            .unwrap_or_else(|| panic!("{action} is not refused: {}", answer.body));
        (code, text(&answer.body, "Message").unwrap_or_default())
    }

    fn code(&mut self, action: &str, parameters: &[(&str, &str)]) -> String {
        self.refused(action, parameters).0
    }

    /// Captures the instance and gives the image's id.
    fn capture(&mut self, name: &str) -> String {
        let body = self.ok("CreateImage", &[("InstanceId", INSTANCE), ("Name", name)]);
        text(&body, "imageId").expect("an image id")
    }

    /// Copies an image of us-east-1 to where the caller is.
    fn copy(&mut self, source: &str, more: &[(&str, &str)]) -> String {
        let body = self.ok("CopyImage", &copy_of(source, more));
        text(&body, "imageId").expect("an image id")
    }

    fn image(&mut self, id: &str) -> String {
        self.ok("DescribeImages", &[("ImageId.1", id)])
    }

    fn state(&mut self, id: &str) -> String {
        text(&self.image(id), "imageState").unwrap_or_default()
    }

    fn snapshots_of(&mut self, image: &str) -> Vec<String> {
        texts(&self.image(image), "snapshotId")
    }

    fn snapshot(&mut self, id: &str) -> String {
        self.ok("DescribeSnapshots", &[("SnapshotId.1", id)])
    }

    /// The ids of the images that a list shows, in order.
    fn list(&mut self, parameters: &[(&str, &str)]) -> Vec<String> {
        let mut ids = texts(&self.ok("DescribeImages", parameters), "imageId");
        ids.sort();
        ids
    }
}

fn copy_of<'a>(source: &'a str, more: &[(&'a str, &'a str)]) -> Vec<(&'a str, &'a str)> {
    let mut parameters = vec![
        ("SourceImageId", source),
        ("SourceRegion", "us-east-1"),
        ("Name", "copy"),
    ];
    parameters.extend_from_slice(more);
    parameters
}

/// The text of the first element of this name.
fn text(body: &str, name: &str) -> Option<String> {
    texts(body, name).into_iter().next()
}

/// The texts of all elements of this name.
fn texts(body: &str, name: &str) -> Vec<String> {
    let (open, close) = (format!("<{name}>"), format!("</{name}>"));
    let after = body.split(open.as_str()).skip(1);
    after
        .filter_map(|rest| rest.split_once(close.as_str()))
        .map(|(value, _)| value.to_owned())
        .collect()
}
