//! `ModifySnapshotAttribute`, `DescribeSnapshotAttribute`, `ResetSnapshotAttribute`: who may make
//! volumes, copies and images of a snapshot (model; docs: EBS
//! ebs-modifying-snapshot-permissions).
//!
//! Accounts or everybody; not organizations. What is written is seen at once by every reader.
//! Block public access for snapshots, which is a setting of its own, is off.

use crate::error::{ApiError, check_id};
use crate::state::{Snapshot, SnapshotState};
use crate::wire::parameters::Parameters;
use crate::wire::response::Reply;
use crate::world::{Call, World};

const PERMISSIONS: &str = "createVolumePermission";
/// How many changes one call may make (model).
const MOST_CHANGES: usize = 500;

/// Who may use a snapshot.
#[derive(PartialEq, Eq)]
enum Grantee {
    Everybody,
    Account(String),
}

/// What one call does: "you cannot do both in a single operation" (model).
enum Change {
    Add(Vec<Grantee>),
    Remove(Vec<Grantee>),
}

impl World {
    pub(crate) fn modify_snapshot_attribute(
        &mut self,
        call: &Call,
        mut parameters: Parameters,
    ) -> Result<Reply, ApiError> {
        let id = parameters.required("SnapshotId")?;
        let attribute = parameters.text("Attribute");
        let change = Change::take(&mut parameters)?;
        check_id("snap", &id)?;
        check_attribute(attribute.as_deref().unwrap_or(PERMISSIONS))?;
        parameters.finish_action()?;

        let snapshot = self.own_snapshot(call, &id)?;
        if let Change::Add(grantees) = &change {
            self.check_snapshot_sharing(call, snapshot, grantees)?;
        }
        if let Some(snapshot) = self.region_mut(&call.region)?.snapshots.get_mut(&id) {
            change.apply(snapshot);
        }
        self.fail_copies_without_grant(&call.region, |image| image.maps(&id));
        Ok(Reply::done())
    }

    pub(crate) fn describe_snapshot_attribute(
        &self,
        call: &Call,
        mut parameters: Parameters,
    ) -> Result<Reply, ApiError> {
        let id = parameters.required("SnapshotId")?;
        let attribute = parameters.required("Attribute")?;
        check_id("snap", &id)?;
        if attribute != "productCodes" {
            check_attribute(&attribute)?;
        }
        parameters.finish_action()?;

        let snapshot = self.own_snapshot(call, &id)?;
        let everybody = snapshot.public.then_some(("group", "all"));
        let accounts = snapshot
            .shared_with
            .iter()
            .map(|id| ("userId", id.as_str()));
        let mut reply = Reply::default();
        reply.xml.text("snapshotId", &id);
        if attribute == PERMISSIONS {
            let all = everybody.into_iter().chain(accounts);
            reply
                .xml
                .items(PERMISSIONS, all, |xml, (name, value)| xml.text(name, value));
        } else {
            reply.xml.element("productCodes", |_| {});
        }
        Ok(reply)
    }

    /// Takes every permission back, that of everybody too.
    pub(crate) fn reset_snapshot_attribute(
        &mut self,
        call: &Call,
        mut parameters: Parameters,
    ) -> Result<Reply, ApiError> {
        let id = parameters.required("SnapshotId")?;
        let attribute = parameters.required("Attribute")?;
        check_id("snap", &id)?;
        check_attribute(&attribute)?;
        parameters.finish_action()?;

        self.own_snapshot(call, &id)?;
        if let Some(snapshot) = self.region_mut(&call.region)?.snapshots.get_mut(&id) {
            snapshot.public = false;
            snapshot.shared_with.clear();
        }
        self.fail_copies_without_grant(&call.region, |image| image.maps(&id));
        Ok(Reply::done())
    }

    /// "Encrypted snapshots … cannot be made public", and what is under the AWS managed key is
    /// shared with nobody (model). The texts for a public one and for one that is not completed
    /// are not known.
    fn check_snapshot_sharing(
        &self,
        call: &Call,
        snapshot: &Snapshot,
        grantees: &[Grantee],
    ) -> Result<(), ApiError> {
        let refuse = |message: &str| Err(ApiError::new("OperationNotPermitted", message));
        let managed = crate::kms::aws_managed(&call.account, &call.region);
        if snapshot.key.as_ref() == Some(&managed) {
            return refuse("Encrypted snapshots with EBS default key cannot be shared");
        }
        if snapshot.key.is_some() && grantees.contains(&Grantee::Everybody) {
            return refuse("Encrypted snapshots cannot be shared publicly");
        }
        if snapshot.state != SnapshotState::Completed {
            return Err(ApiError::new(
                &self.facts.unfinished_snapshot_code,
                format!(
                    "The snapshot '{}' is in state '{}', not 'completed'",
                    snapshot.id, snapshot.state
                ),
            ));
        }
        Ok(())
    }
}

impl Change {
    /// `CreateVolumePermission.Add.N.UserId` or `.Remove.…`, or the older `OperationType` with
    /// `UserId.N` and `UserGroup.N`.
    fn take(parameters: &mut Parameters) -> Result<Self, ApiError> {
        let operation = parameters.text("OperationType");
        let mut add = take_structures(parameters, "CreateVolumePermission.Add")?;
        let mut remove = take_structures(parameters, "CreateVolumePermission.Remove")?;
        let accounts = parameters.list("UserId").into_iter().map(account);
        let mut named: Vec<Grantee> = accounts.collect::<Result<_, _>>()?;
        for group in parameters.list("UserGroup") {
            named.push(everybody(&group)?);
        }
        match operation.as_deref() {
            Some("add") => add.append(&mut named),
            Some("remove") => remove.append(&mut named),
            Some(other) => {
                return Err(ApiError::invalid_value(format!(
                    "Value ({other}) for parameter operationType is invalid"
                )));
            }
            None if named.is_empty() => {}
            None => return Err(ApiError::missing("OperationType")),
        }
        if add.len() + remove.len() > MOST_CHANGES {
            return Err(ApiError::invalid_value(format!(
                "At most {MOST_CHANGES} modifications can be made in a call"
            )));
        }
        match (add.is_empty(), remove.is_empty()) {
            (false, true) => Ok(Self::Add(add)),
            (true, false) => Ok(Self::Remove(remove)),
            (true, true) => Err(ApiError::invalid_combination("No attributes specified.")),
            (false, false) => Err(ApiError::invalid_combination(
                "Permissions cannot be added and removed in a single operation",
            )),
        }
    }

    fn apply(self, snapshot: &mut Snapshot) {
        let (grantees, granted) = match self {
            Self::Add(grantees) => (grantees, true),
            Self::Remove(grantees) => (grantees, false),
        };
        for grantee in grantees {
            match grantee {
                Grantee::Everybody => snapshot.public = granted,
                Grantee::Account(id) if granted => {
                    snapshot.shared_with.insert(id);
                }
                Grantee::Account(id) => {
                    snapshot.shared_with.remove(&id);
                }
            }
        }
    }
}

fn take_structures(parameters: &mut Parameters, path: &str) -> Result<Vec<Grantee>, ApiError> {
    let mut all = Vec::new();
    for mut given in parameters.structures(path) {
        if let Some(id) = given.text("UserId") {
            all.push(account(id)?);
        }
        if let Some(group) = given.text("Group") {
            all.push(everybody(&group)?);
        }
        given.finish()?;
    }
    Ok(all)
}

fn account(id: String) -> Result<Grantee, ApiError> {
    if id.len() == 12 && id.bytes().all(|byte| byte.is_ascii_digit()) {
        return Ok(Grantee::Account(id));
    }
    Err(ApiError::invalid_value(format!(
        "Value ({id}) for parameter userId is invalid"
    )))
}

fn everybody(group: &str) -> Result<Grantee, ApiError> {
    if group == "all" {
        return Ok(Grantee::Everybody);
    }
    Err(ApiError::invalid_value(format!(
        "Value ({group}) for parameter group is invalid"
    )))
}

/// "Only volume creation permissions can be modified" (model).
fn check_attribute(attribute: &str) -> Result<(), ApiError> {
    if attribute == PERMISSIONS {
        return Ok(());
    }
    Err(ApiError::invalid_value(format!(
        "Value ({attribute}) for parameter attribute is invalid. Unknown attribute."
    )))
}
