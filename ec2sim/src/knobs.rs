//! What can be set about a world: how slow, how late, how unreliable it is.

use serde::{Deserialize, Serialize};

/// The knobs of a world, in the world file under `knobs`. Chances are per mille.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Knobs {
    /// Milliseconds that every capture and every copy takes at least.
    pub base_milliseconds: u64,
    /// Milliseconds more for each GiB of a volume; each volume takes between half and twice that.
    pub milliseconds_per_gib: u64,
    /// Milliseconds until a registered image is available.
    pub register_milliseconds: u64,
    /// Milliseconds until the value of a parameter of data type `aws:ec2:image` is validated.
    pub parameter_milliseconds: u64,
    /// Milliseconds until a change of block public access for images is in force.
    pub block_public_access_milliseconds: u64,
    /// Milliseconds until fast launch is enabled, or disabled.
    pub fast_launch_milliseconds: u64,
    /// Whether the snapshots for fast launch cannot be made.
    pub fast_launch_fails: bool,
    /// Milliseconds until a report on the usage of an image can be read.
    pub usage_report_milliseconds: u64,
    /// Milliseconds that a new or started instance is pending.
    pub launch_milliseconds: u64,
    /// Milliseconds from running to the end of the status checks.
    pub status_milliseconds: u64,
    /// Milliseconds from running to the end of cloud-init, or of what Windows has instead: user
    /// data has run then.
    pub user_data_milliseconds: u64,
    /// Milliseconds from running until the agent of Systems Manager is online.
    pub agent_milliseconds: u64,
    /// Milliseconds that a command of Systems Manager takes, half of them until it begins.
    pub command_milliseconds: u64,
    /// Milliseconds that Sysprep takes until the machine goes down.
    pub sysprep_milliseconds: u64,
    /// Milliseconds that an instance is stopping. 0: it is stopped at once.
    pub stop_milliseconds: u64,
    /// Milliseconds that an instance is shutting down. 0: it is terminated at once.
    pub terminate_milliseconds: u64,
    /// How long a terminated instance is listed, in seconds (docs: UG terminating-instances).
    pub terminated_visible_seconds: u64,
    /// Milliseconds until console output is posted that is not asked for as the latest.
    pub console_milliseconds: u64,
    /// How many machines in a thousand have a fault that no script gives them.
    pub faulty_guests_per_mille: u32,
    /// How many spot instances in a thousand are taken back while they start.
    pub spot_interruptions_per_mille: u32,
    /// How many launches in a thousand find no capacity.
    pub insufficient_capacity_per_mille: u32,
    /// How many processors an account may have running in a region, and as many of spot instances
    /// besides. Null: any number.
    pub vcpu_limit: Option<u32>,
    /// How far reads lag behind a write at the most, in seconds. 0: never.
    pub max_read_lag_seconds: u64,
    /// How much later than a new image itself readers may see what it was made from, in seconds.
    pub max_source_lag_seconds: u64,
    /// How many copies in a thousand fail late, for no reason that a caller could know.
    pub failed_copies_per_mille: u32,
    /// How long the name of a deregistered image stays taken, in seconds.
    pub name_hold_seconds: u64,
    /// How long a deregistered image is still listed, in state `deregistered`, in seconds.
    pub deregistered_visible_seconds: u64,
    /// How long `DeleteSnapshot` is refused after the image that used the snapshot is gone, in
    /// seconds (boto/boto#3019).
    pub snapshot_hold_seconds: u64,
    /// Whether the request buckets per account, region and action are in force.
    pub request_buckets: bool,
    /// Image copies that may be pending at a time in a destination region of an account
    /// (docs: UG how-ami-copy-works). Null: any number.
    pub concurrent_image_copies: Option<u32>,
    /// Snapshots of copies that may be pending at a time in a destination region of an account
    /// (docs: EBS ebs-resource-quotas). Null: any number. The documented limit is that of
    /// `CopySnapshot`; whether it counts the snapshots of `CopyImage` is not said.
    pub concurrent_snapshot_copies: Option<u32>,
    /// How many pages in a thousand hold nothing but a token.
    pub empty_pages_per_mille: u32,
    /// Items on a page when the caller sets no `MaxResults`. 0: all of them on one page.
    pub default_page_size: u32,
}

impl Default for Knobs {
    fn default() -> Self {
        Self {
            base_milliseconds: 20_000,
            milliseconds_per_gib: 4_000,
            register_milliseconds: 3_000,
            parameter_milliseconds: 2_000,
            block_public_access_milliseconds: 120_000,
            fast_launch_milliseconds: 600_000,
            fast_launch_fails: false,
            usage_report_milliseconds: 60_000,
            launch_milliseconds: 15_000,
            status_milliseconds: 120_000,
            user_data_milliseconds: 45_000,
            agent_milliseconds: 30_000,
            command_milliseconds: 4_000,
            sysprep_milliseconds: 120_000,
            stop_milliseconds: 20_000,
            terminate_milliseconds: 20_000,
            terminated_visible_seconds: 3_600,
            console_milliseconds: 60_000,
            faulty_guests_per_mille: 0,
            spot_interruptions_per_mille: 0,
            insufficient_capacity_per_mille: 0,
            vcpu_limit: None,
            max_read_lag_seconds: 5,
            max_source_lag_seconds: 0,
            failed_copies_per_mille: 0,
            name_hold_seconds: 30,
            deregistered_visible_seconds: 60,
            snapshot_hold_seconds: 10,
            request_buckets: true,
            concurrent_image_copies: Some(300),
            concurrent_snapshot_copies: Some(20),
            empty_pages_per_mille: 100,
            default_page_size: 0,
        }
    }
}

impl Knobs {
    /// A world without delay, lag, limits or surprises: for tests of something else.
    pub fn calm() -> Self {
        Self {
            base_milliseconds: 0,
            milliseconds_per_gib: 0,
            register_milliseconds: 0,
            parameter_milliseconds: 0,
            block_public_access_milliseconds: 0,
            fast_launch_milliseconds: 0,
            usage_report_milliseconds: 0,
            launch_milliseconds: 0,
            status_milliseconds: 0,
            user_data_milliseconds: 0,
            agent_milliseconds: 0,
            command_milliseconds: 0,
            sysprep_milliseconds: 0,
            stop_milliseconds: 0,
            terminate_milliseconds: 0,
            console_milliseconds: 0,
            max_read_lag_seconds: 0,
            name_hold_seconds: 0,
            deregistered_visible_seconds: 0,
            snapshot_hold_seconds: 0,
            request_buckets: false,
            empty_pages_per_mille: 0,
            ..Self::default()
        }
    }
}
