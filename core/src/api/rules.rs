//! The rules that the API server checks, in CEL, each with the sentence it answers: what to write
//! instead. Every string that a rule looks into has a `maxLength` at its field, or the API server
//! refuses the rule as too expensive.

use std::borrow::Cow;

use kube::core::{Message, Reason, Rule};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};

/// `oldSelf` must be `self`; `sentence` says why and what to do instead.
pub fn immutable(sentence: &str) -> Rule {
    Rule::new("self == oldSelf").message(sentence)
}

/// A region's name. Availability zones are the usual mistake.
pub fn region() -> Rule {
    Rule::new(IS_REGION).message(WRITE_A_REGION)
}

const IS_REGION: &str = "self.matches('^[a-z]+(-[a-z]+)+-[0-9]+$')";
const WRITE_A_REGION: &str =
    "write the name of a region, for example us-east-1 (us-east-1a would be an availability zone)";

/// An instance's id, of the old or the new length.
pub fn instance_id() -> Rule {
    Rule::new("self.matches('^i-([0-9a-f]{8}|[0-9a-f]{17})$')").message(
        "write the id of an instance: i- and 17 (or 8) hex digits, for example i-0a1b2c3d4e5f60718",
    )
}

/// An image's id, of the old or the new length.
pub fn image_id() -> Rule {
    Rule::new("self.matches('^ami-([0-9a-f]{8}|[0-9a-f]{17})$')").message(
        "write the id of an image: ami- and 17 (or 8) hex digits, for example ami-0123456789abcdef0",
    )
}

/// A snapshot's id, of the old or the new length.
pub fn snapshot_id() -> Rule {
    Rule::new("self.matches('^snap-([0-9a-f]{8}|[0-9a-f]{17})$')").message(
        "write the id of a snapshot: snap- and 17 (or 8) hex digits, for example \
         snap-0123456789abcdef0",
    )
}

/// An instance type's name.
pub fn instance_type() -> Rule {
    Rule::new("self.matches('^[a-z][a-z0-9-]*[.][a-z0-9-]+$')")
        .message("write an instance type: a family, a point and a size, for example t3.small")
}

/// A subnet's id, of the old or the new length.
pub fn subnet_id() -> Rule {
    Rule::new("self.matches('^subnet-([0-9a-f]{8}|[0-9a-f]{17})$')").message(
        "write the id of a subnet: subnet- and 17 (or 8) hex digits, for example \
         subnet-0123456789abcdef0",
    )
}

/// IAM's characters (IAM API, `CreateInstanceProfile`): its name, and not its ARN.
pub fn instance_profile() -> Rule {
    Rule::new(IS_INSTANCE_PROFILE).message(WRITE_AN_INSTANCE_PROFILE)
}

const IS_INSTANCE_PROFILE: &str = "self.matches('^[a-zA-Z0-9_+=,.@-]{1,128}$')";
const WRITE_AN_INSTANCE_PROFILE: &str =
    "write the name of an instance profile, for example image-builder, and not its ARN";

/// A set of at most 16 security groups.
pub fn list_of_security_groups(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "array",
        "maxItems": 16,
        "x-kubernetes-list-type": "set",
        "items": {
            "type": "string",
            "maxLength": 32,
            "x-kubernetes-validations": [{
                "rule": "self.matches('^sg-([0-9a-f]{8}|[0-9a-f]{17})$')",
                "message": "write the id of a security group: sg- and 17 (or 8) hex digits, for example \
                            sg-0123456789abcdef0",
            }],
        },
    })
}

/// A set of at most 64 instance profiles.
pub fn list_of_instance_profiles(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "array",
        "maxItems": 64,
        "x-kubernetes-list-type": "set",
        "items": {
            "type": "string",
            "maxLength": 128,
            "x-kubernetes-validations": [{
                "rule": IS_INSTANCE_PROFILE,
                "message": WRITE_AN_INSTANCE_PROFILE,
            }],
        },
    })
}

/// How long a build may take: from five minutes to a day.
pub fn build_timeout() -> Rule {
    Rule::new(
        "self.matches('^([0-9]{1,5}[hms]){1,3}$') && duration(self) >= duration('5m') && \
         duration(self) <= duration('24h')",
    )
    .message("write hours (h), minutes (m) and seconds (s), for example 90m, from 5m to 24h")
}

/// Hours, minutes and seconds, at most a year.
pub fn min_age() -> Rule {
    Rule::new(
        "self.matches('^([0-9]{1,5}[hms]){1,3}$') && duration(self) <= duration('8760h')",
    )
    .message(
        "write hours (h), minutes (m) and seconds (s), for example 168h for a week, at most 8760h \
         (there is no unit for days)",
    )
}

/// Steps of a quarter of an hour, 15 minutes to two days (EC2 API, `CopyImage`).
pub fn copy_duration() -> Rule {
    Rule::new(
        "self.matches('^([0-9]{1,5}[hms]){1,3}$') && duration(self) >= duration('15m') && \
         duration(self) <= duration('48h') && duration(self).getSeconds() % 900 == 0",
    )
    .message(
        "write hours (h) and minutes (m) in steps of fifteen minutes, for example 30m, from 15m to \
         48h",
    )
}

/// A key by its id, its ARN, or an alias (EC2 API, `CopyImage`).
pub fn kms_key() -> Rule {
    Rule::new(
        "self.matches('^(arn:aws[a-z-]*:kms:[a-z0-9-]+:[0-9]{12}:)?alias/[a-zA-Z0-9/_-]{1,250}$') || \
         self.matches('^(arn:aws[a-z-]*:kms:[a-z0-9-]+:[0-9]{12}:key/)?\
         (mrk-[0-9a-f]{32}|[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12})$')",
    )
    .message(
        "write a KMS key's id (1234abcd-12ab-34cd-56ef-1234567890ab), its whole ARN, or an alias \
         (alias/images)",
    )
}

/// EC2 takes a key of another region, and fails the copy much later.
pub fn key_is_of_the_region() -> Rule {
    Rule::new(
        "!has(self.encryption) || !has(self.encryption.kmsKeyId) || \
         !self.encryption.kmsKeyId.startsWith('arn:') || \
         self.encryption.kmsKeyId.contains(':kms:' + self.name + ':')",
    )
    .message("encryption.kmsKeyId is the ARN of a key of another region: name one of this region")
}

/// A snapshot that is encrypted with the key that AWS manages can be given to nobody (EBS User Guide, "Share a
/// snapshot").
pub fn shared_key_can_be_shared() -> Rule {
    Rule::new(
        "!(has(self.spec.accounts) || (has(self.spec.sharing) && has(self.spec.sharing.accounts))) || \
         self.spec.regions.all(region, !has(region.encryption) || \
         !has(region.encryption.kmsKeyId) || \
         !region.encryption.kmsKeyId.endsWith('alias/aws/ebs'))",
    )
    .message(
        "name a KMS key of your own: what is encrypted with alias/aws/ebs cannot be shared with \
         another account, nor copied by it",
    )
    .field_path(".spec.regions")
}

/// What Kubernetes takes for the name of a ConfigMap.
pub fn config_map_name() -> Rule {
    Rule::new("self.matches('^[a-z0-9]([a-z0-9.-]*[a-z0-9])?$')").message(
        "write a name of lower-case letters, digits, - and . which begins and ends with a letter \
         or digit, for example web-images",
    )
}

/// Systems Manager's characters, as a path: which paths a namespace may write is granted.
pub fn published_parameter_characters() -> Rule {
    Rule::new("self.matches('^(/[a-zA-Z0-9_.-]+)+$')").message(
        "write a path that begins with / and has letters, digits and _ . - between single slashes, \
         for example /golden/web, without a version or label, and not an ARN",
    )
}

/// What Systems Manager keeps for itself, in any case of letters (SSM API, `PutParameter`).
pub fn published_parameter_is_not_reserved() -> Rule {
    Rule::new("!self.lowerAscii().startsWith('/aws') && !self.lowerAscii().startsWith('/ssm')")
        .message(
            "write a path that begins neither with /aws nor with /ssm, which Systems Manager keeps \
             for itself, for example /golden/web",
        )
}

/// As deep as Systems Manager lets a hierarchy be (SSM API, `PutParameter`).
pub fn published_parameter_depth() -> Rule {
    Rule::new("self.split('/').size() <= 16")
        .message("write a path of at most 15 levels: Systems Manager takes no deeper ones")
}

/// A set of 1 to 64 paths under which parameters may be written.
pub fn list_of_parameter_paths(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "array",
        "maxItems": 64,
        "x-kubernetes-list-type": "set",
        "x-kubernetes-validations": [{
            "rule": "size(self) > 0",
            "message": "write at least one path, for example /golden/",
        }],
        "items": {
            "type": "string",
            "maxLength": 256,
            "x-kubernetes-validations": [{
                "rule": "self.matches('^/([a-zA-Z0-9_.-]+/)*$')",
                "message": "write a path that begins and ends with /, for example /golden/, or / for every parameter",
            }],
        },
    })
}

/// A key that both want would come and go.
pub fn publish_tags_are_not_tags() -> Rule {
    Rule::new(
        "!has(self.spec.publish) || !has(self.spec.publish.tags) || !has(self.spec.tags) || \
         self.spec.publish.tags.all(key, !(key in self.spec.tags))",
    )
    .message(
        "write each key either in tags, which images have from birth, or in publish.tags, which \
         they have while they are published",
    )
    .field_path(".spec.publish.tags")
}

/// As [`publish_tags_are_not_tags`].
pub fn publish_tags_are_not_tags_of_a_region() -> Rule {
    let none_of = "!has(region.tags) || region.tags.all(key, !(key in self.spec.publish.tags))";
    Rule::new(format!(
        "!has(self.spec.publish) || !has(self.spec.publish.tags) || \
         (self.spec.regions.all(region, {none_of}) && (!has(self.spec.accounts) || \
         self.spec.accounts.all(account, account.regions.all(region, {none_of}))))"
    ))
    .message(
        "write each key either in the tags of regions, which images have from birth, or in \
         publish.tags, which they have while they are published",
    )
    .field_path(".spec.publish.tags")
}

/// EC2 takes fifty tags (EC2 User Guide, "Tag restrictions"), of which six are for `publish.tags` and the others for what
/// Amity has to remember; and the note of their keys has room for 32.
pub fn tags_are_not_too_many_in_regions() -> Rule {
    Rule::new(format!("self.spec.regions.all(region, {ARE_NOT_TOO_MANY})"))
        .message(WRITE_FEWER_TAGS)
        .field_path(".spec.regions")
}

/// As [`tags_are_not_too_many_in_regions`].
pub fn tags_are_not_too_many_in_accounts() -> Rule {
    Rule::new(format!(
        "!has(self.spec.accounts) || self.spec.accounts.all(account, account.regions.all(region, \
         {ARE_NOT_TOO_MANY}))"
    ))
    .message(WRITE_FEWER_TAGS)
    .field_path(".spec.accounts")
}

/// A key that two of them have is counted once.
const ARE_NOT_TOO_MANY: &str = "(has(self.spec.tags) ? size(self.spec.tags) : 0) + \
    (has(region.tags) ? region.tags.filter(key, !has(self.spec.tags) || \
    !(key in self.spec.tags)).size() : 0) + \
    (has(self.spec.snapshotTags) ? self.spec.snapshotTags.filter(key, \
    (!has(self.spec.tags) || !(key in self.spec.tags)) && \
    (!has(region.tags) || !(key in region.tags))).size() : 0) <= 30";

const WRITE_FEWER_TAGS: &str = "write at most 30 different keys in tags, the region's tags and \
    snapshotTags together: EC2 takes 50 tags, and Amity and publish.tags need the others";

/// Hours, minutes and seconds, at most ten years (EC2 API, `EnableImageDeprecation`).
pub fn deprecation_after() -> Rule {
    Rule::new(
        "self.matches('^([0-9]{1,5}[hms]){1,3}$') && duration(self) <= duration('87600h')",
    )
    .message(
        "write hours (h), minutes (m) and seconds (s), for example 2160h for ninety days, at most \
         87600h, which is ten years (there is no unit for days)",
    )
}

/// Without a target it is off.
pub fn fast_launch_has_a_target() -> Rule {
    Rule::new("!has(self.maxParallelLaunches) || has(self.targetResourceCount)")
        .message(
            "write targetResourceCount, too: how many snapshots EC2 keeps ready, for example 5; \
             without it fast launch is switched off",
        )
        .field_path(".targetResourceCount")
        .reason(Reason::FieldValueRequired)
}

/// EC2's device names, of Linux and of Windows.
pub fn device_name() -> Rule {
    Rule::new("self.matches('^(/dev/)?(sd[a-z][0-9]{0,2}|xvd[a-z]{1,2}[0-9]{0,2})$')").message(
        "write a device name as EC2 has it, for example /dev/xvda, /dev/sda1 or xvdf (nvme0n1 \
         is what the instance makes of it)",
    )
}

/// It is not written in the snapshot.
pub fn root_device_name_is_said() -> Rule {
    Rule::new("has(self.rootDeviceName)")
        .message(
            "say under which name instances get the root volume, for example /dev/xvda (Amazon \
             Linux, Debian) or /dev/sda1 (most others)",
        )
        .field_path(".rootDeviceName")
        .reason(Reason::FieldValueRequired)
}

/// EC2's default, i386, is what nobody means any more.
pub fn architecture_is_said() -> Rule {
    Rule::new("has(self.architecture)")
        .message(
            "say for which processor the system in the snapshot was built, for example x86_64 or \
             arm64 (EC2 would take i386)",
        )
        .field_path(".architecture")
        .reason(Reason::FieldValueRequired)
}

/// Two volumes under one name.
pub fn volumes_are_not_the_root() -> Rule {
    Rule::new(
        "!has(self.volumes) || !has(self.rootDeviceName) || \
         !self.volumes.exists(volume, volume.deviceName == self.rootDeviceName)",
    )
    .message(
        "write only data volumes here: the one with the name in rootDeviceName is made from \
         snapshotId",
    )
    .field_path(".volumes")
}

/// The image by its id, by owner and name, or by what holds its id.
pub fn image_is_said() -> Rule {
    Rule::new(
        "has(self.imageId) || has(self.owner) || has(self.name) || has(self.ssmParameter) || \
         has(self.machineImageName)",
    )
    .message(
        "write which image it is: imageId, or owner with name, or ssmParameter, or machineImageName",
    )
}

/// As [`image_is_said`], and not twice.
pub fn image_is_said_once() -> Rule {
    Rule::new(
        "[has(self.imageId), has(self.owner) || has(self.name), has(self.ssmParameter), \
         has(self.machineImageName)].filter(said, said).size() <= 1",
    )
    .message(
        "write only one of imageId, owner with name, ssmParameter, and machineImageName: they might \
         name two images",
    )
}

/// Whether the image is given by something else than its name.
const GIVEN_OTHERWISE: &str =
    "has(self.imageId) || has(self.ssmParameter) || has(self.machineImageName)";

/// An owner has many images.
pub fn owner_has_a_name() -> Rule {
    Rule::new(format!(
        "{GIVEN_OTHERWISE} || !has(self.owner) || has(self.name)"
    ))
    .message("write which of the owner's images it is: its whole name, or imageId instead of owner")
    .field_path(".name")
    .reason(Reason::FieldValueRequired)
}

/// A name that anybody may give.
pub fn name_has_an_owner() -> Rule {
    Rule::new(format!(
        "{GIVEN_OTHERWISE} || !has(self.name) || has(self.owner)"
    ))
    .message(
        "write whose image it is: an account id of 12 digits in quotes, self (this account) \
             or amazon; without it, anybody could publish a newer image under this name",
    )
    .field_path(".owner")
    .reason(Reason::FieldValueRequired)
}

/// An id has one architecture.
pub fn architecture_is_of_a_name() -> Rule {
    Rule::new(format!("!has(self.architecture) || !({GIVEN_OTHERWISE})"))
        .message("leave architecture out: only a name may be that of images for several processors")
        .field_path(".architecture")
}

const IS_OWNER: &str = "self in ['self', 'amazon'] || self.matches('^[0-9]{12}$')";

/// An owner of images.
pub fn owner() -> Rule {
    Rule::new(IS_OWNER).message(
        "write an account id of 12 digits in quotes, self (this account) or amazon; an image of \
         just anyone cannot be asked for, since anybody could publish a newer one under its name",
    )
}

/// Systems Manager's characters of a parameter's name. A version or a label would be another way
/// to say which revision it is.
pub fn parameter_name() -> Rule {
    Rule::new("self.matches('^/?[a-zA-Z0-9_.-]+(/[a-zA-Z0-9_.-]+)*$')").message(
        "write the whole name of a parameter of the region, for example \
         /aws/service/ami-amazon-linux-latest/al2023-ami-kernel-default-x86_64, without a version, \
         and not an ARN",
    )
}

/// A `MachineImage`'s name.
pub fn machine_image_name() -> Rule {
    Rule::new("self.matches('^[a-z0-9]([a-z0-9.-]*[a-z0-9])?$')").message(
        "write the name of a MachineImage of the same namespace, as kubectl get machineimages lists \
         them",
    )
}

/// An image of itself would never begin.
pub fn source_is_another_image() -> Rule {
    Rule::new(
        "!has(self.spec.source.image) || !has(self.spec.source.image.machineImageName) || \
         self.spec.source.image.machineImageName != self.metadata.name",
    )
    .message("name another MachineImage: an image cannot be made of itself")
    .field_path(".spec.source.image.machineImageName")
}

/// Hours and minutes, from ten minutes to a year.
pub fn follow_interval() -> Rule {
    Rule::new(
        "self.matches('^([0-9]{1,5}[hms]){1,3}$') && duration(self) >= duration('10m') && \
         duration(self) <= duration('8760h')",
    )
    .message(
        "write hours (h) and minutes (m), for example 24h for once a day, at least 10m and at most \
         8760h (there is no unit for days)",
    )
}

/// What the spec itself names is always the same.
pub fn source_can_be_followed() -> Rule {
    Rule::new(
        "!has(self.spec.follow) || \
         (has(self.spec.source.image) && !has(self.spec.source.image.imageId))",
    )
    .message(
        "leave follow out: only an image given by owner and name, ssmParameter or machineImageName \
         can become another one; change rebuild to take the same source again",
    )
    .field_path(".spec.follow")
}

/// The home account's regions are written once.
pub fn accounts_are_others() -> Rule {
    Rule::new(
        "!has(self.spec.accounts) || \
         self.spec.accounts.all(account, account.name != self.spec.accountName)",
    )
    .message("write the regions of the account in accountName into regions, and only others here")
    .field_path(".spec.accounts")
}

/// EC2 would look for a pattern.
pub fn image_name_has_no_wildcards() -> Rule {
    Rule::new("!self.contains('*') && !self.contains('?')").message(
        "write the whole name of one image, without the wildcards * and ?: which image it is \
         would otherwise change without a change of the spec",
    )
}

/// EC2's lengths and characters of an image's name. Wildcards have a sentence of their own.
pub fn image_name() -> Rule {
    Rule::new(r#"size(self) >= 3 && self.matches("^[a-zA-Z0-9()\\[\\] ./'@_*?-]*$")"#).message(
        "write the image's name as EC2 shows it: 3 to 128 letters, digits, spaces and \
         - _ . / ( ) [ ] ' @",
    )
}

/// No default is right for everybody.
pub fn reboot_is_said() -> Rule {
    Rule::new("has(self.reboot)")
        .message(
            "say whether the instance may be restarted: Once (one restart, consistent file \
             systems) or Never (no restart, the image is what a power cut would leave behind)",
        )
        .field_path(".reboot")
        .reason(Reason::FieldValueRequired)
}

/// Two revisions must not have the same name.
pub fn name_template_has_revision() -> Rule {
    Rule::new("self.contains('{revision}')").message(Message::Expression(
        "'the template must contain {revision}, so that every revision has a name of its own: \
         for example ' + self + '-{revision}'"
            .into(),
    ))
}

/// EC2's characters, and the three placeholders.
pub fn name_template_characters() -> Rule {
    Rule::new(
        r#"self.matches("^([a-zA-Z0-9()\\[\\] ./'@_-]|\\{(name|namespace|revision)\\})*$")"#,
    )
    .message(
        "write letters, digits, spaces and - _ . / ( ) [ ] ' @ besides the placeholders {name}, \
         {namespace} and {revision}",
    )
}

/// Nobody would see it, and whoever looks the image up would not write it.
pub fn name_template_is_trimmed() -> Rule {
    Rule::new("!self.startsWith(' ') && !self.endsWith(' ')")
        .message("write the template without a space at its beginning or end")
}

/// EC2's lengths of a tag's key.
pub fn tag_keys_have_a_length() -> Rule {
    Rule::new("self.all(key, size(key) >= 1 && size(key) <= 127)")
        .message("write keys of 1 to 127 characters: EC2 takes no others")
}

/// What EC2 and Amity keep for themselves.
pub fn tag_keys_are_not_reserved() -> Rule {
    Rule::new("self.all(key, !key.startsWith('aws:') && !key.startsWith('amity.dev/'))").message(
        "choose keys that start neither with aws: (reserved by EC2) nor with amity.dev/ (how \
         Amity knows its images)",
    )
}

/// An `AwsAccount`'s name.
pub fn account_name() -> Rule {
    Rule::new("self.matches('^[a-z0-9]([a-z0-9.-]*[a-z0-9])?$')")
        .message("write the name of an AwsAccount, as kubectl get awsaccounts lists them")
}

/// What EC2's names and the tag `amity.dev/object` can hold, and `accountName` refer to.
pub const OBJECT_NAME: &str = "choose a name of at most 63 characters";

/// An image may have 128 characters. The namespace is not known to the API server's rules, so that
/// the longest that it cannot refuse is measured again where the name is made.
pub fn image_name_fits() -> Rule {
    Rule::new(
        "size(self.spec.nameTemplate.replace('{name}', self.metadata.name)\
         .replace('{revision}', '0123456789').replace('{namespace}', '')) <= 128",
    )
    .message("write a shorter template: with name and revision filled in, EC2 takes at most 128 characters")
    .field_path(".spec.nameTemplate")
}

/// Elsewhere it would be deregistered at once, and it cannot be encrypted otherwise than it is.
pub fn adopted_regions_are_wanted() -> Rule {
    Rule::new(
        "!has(self.spec.adopt) || self.spec.adopt.all(adopted, self.spec.regions.exists(region, \
         region.name == adopted.region && !has(region.encryption)))",
    )
    .message(
        "write the region of each image in adopt in regions, too, and without encryption: an image \
         that is taken over stays encrypted as it is, and where it is not wanted it would go",
    )
    .field_path(".spec.adopt")
}

/// What an image is made from stays whoever's it is.
pub fn adopted_image_is_not_the_source() -> Rule {
    Rule::new(
        "!has(self.spec.adopt) || !has(self.spec.source.image) || \
         !has(self.spec.source.image.imageId) || self.spec.adopt.all(adopted, \
         adopted.imageId != self.spec.source.image.imageId)",
    )
    .message(
        "write either in source or in adopt that image: the source is copied and never changed, an \
         image that is taken over becomes this object's",
    )
    .field_path(".spec.adopt")
}

/// At least one region.
pub fn some_regions() -> Rule {
    Rule::new("size(self) > 0").message("write at least one region, for example - name: us-east-1")
}

/// No tags at all would say any instance, by accident perhaps.
pub fn some_instance_tags() -> Rule {
    Rule::new("size(self) > 0")
        .message("write at least one tag; for any instance leave instanceTags out")
}

/// As for instances.
pub fn some_image_tags() -> Rule {
    Rule::new("size(self) > 0").message("write at least one tag; for any image leave imageTags out")
}

/// As for instances.
pub fn some_snapshot_tags() -> Rule {
    Rule::new("size(self) > 0")
        .message("write at least one tag; for any snapshot leave snapshotTags out")
}

/// An account's id.
pub fn account_id() -> Rule {
    Rule::new(IS_ACCOUNT_ID).message(WRITE_AN_ACCOUNT_ID)
}

const IS_ACCOUNT_ID: &str = "self.matches('^[0-9]{12}$')";
const WRITE_AN_ACCOUNT_ID: &str =
    "write the account's id as 12 digits in quotes, for example \"111122223333\"";

/// A set of at most 300 account ids.
pub fn list_of_accounts(_: &mut SchemaGenerator) -> Schema {
    set_of(300, 32, IS_ACCOUNT_ID, WRITE_AN_ACCOUNT_ID)
}

/// A set of at most 20 organizations.
pub fn list_of_organizations(_: &mut SchemaGenerator) -> Schema {
    set_of(
        20,
        128,
        "self.matches('^arn:aws[a-z-]*:organizations::[0-9]{12}:organization/o-[a-z0-9]{10,32}$')",
        "write the whole ARN of the organization, for example \
         arn:aws:organizations::111122223333:organization/o-0123456789 (aws organizations \
         describe-organization shows it)",
    )
}

/// A set of at most 100 organizational units.
pub fn list_of_organizational_units(_: &mut SchemaGenerator) -> Schema {
    set_of(
        100,
        160,
        "self.matches('^arn:aws[a-z-]*:organizations::[0-9]{12}:ou/o-[a-z0-9]{10,32}/ou-[a-z0-9]{4,32}-[a-z0-9]{8,32}$')",
        "write the whole ARN of the organizational unit, for example \
         arn:aws:organizations::111122223333:ou/o-0123456789/ou-ab12-0123abcd (aws organizations \
         describe-organizational-unit shows it)",
    )
}

/// A set of texts, each of which keeps a rule.
fn set_of(most: u32, longest: u32, rule: &str, message: &str) -> Schema {
    json_schema!({
        "type": "array",
        "maxItems": most,
        "x-kubernetes-list-type": "set",
        "items": {
            "type": "string",
            "maxLength": longest,
            "x-kubernetes-validations": [{"rule": rule, "message": message}],
        },
    })
}

/// A grant that names nobody would be read as one for everybody.
pub fn somebody_is_granted() -> Rule {
    Rule::new("has(self.accounts) || has(self.organizations) || has(self.organizationalUnits)")
        .message(
            "write with whom these namespaces may share: accounts, organizations or \
             organizationalUnits",
        )
}

/// A role's ARN, in any partition.
pub fn role_arn() -> Rule {
    Rule::new(r"self.matches('^arn:aws[a-z-]*:iam::[0-9]{12}:role/[a-zA-Z0-9_+=,.@/-]+$')").message(
        "write the ARN of a role, for example arn:aws:iam::111122223333:role/amity (a user or an \
         assumed-role session cannot be assumed)",
    )
}

/// STS's characters and length.
pub fn external_id() -> Rule {
    Rule::new(r"size(self) >= 2 && self.matches('^[a-zA-Z0-9_+=,.@:/-]*$')").message(
        "write 2 to 1224 letters, digits and = , . @ : / - + _: STS takes no other external ids",
    )
}

/// A role of another account would lead into that other account. What is no ARN at all is left to
/// the rule at the field.
pub fn role_is_in_account() -> Rule {
    Rule::new(
        "!has(self.assumeRole) || self.assumeRole.roleArn.split(':').size() < 6 || \
         self.assumeRole.roleArn.split(':')[4] == self.accountId",
    )
    .message("write a role of the account in accountId: the account is the fifth part of the ARN")
    .field_path(".assumeRole.roleArn")
}

/// A set of at most 40 regions.
pub fn list_of_regions(_: &mut SchemaGenerator) -> Schema {
    set_of(40, 32, IS_REGION, WRITE_A_REGION)
}

/// A set of 1 to 64 owners of images.
pub fn list_of_owners(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "array",
        "maxItems": 64,
        "x-kubernetes-list-type": "set",
        "x-kubernetes-validations": [{
            "rule": "size(self) > 0",
            "message": "write at least one owner, for example self (this account)",
        }],
        "items": {
            "type": "string",
            "maxLength": 32,
            "x-kubernetes-validations": [{
                "rule": IS_OWNER,
                "message": "write an account id of 12 digits in quotes, self (this account) or amazon",
            }],
        },
    })
}

/// The schema of `matchNames`.
pub struct NamespaceNames;

impl JsonSchema for NamespaceNames {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "NamespaceNames".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "array",
            "maxItems": 64,
            "x-kubernetes-list-type": "set",
            "x-kubernetes-validations": [{
                "rule": "size(self) > 0",
                "message": "write at least one namespace; for every namespace write all: true instead of matchNames",
            }],
            "items": {
                "type": "string",
                "maxLength": 63,
                "x-kubernetes-validations": [{
                    "rule": "self.matches('^[a-z0-9]([a-z0-9-]*[a-z0-9])?$')",
                    "message": "write the whole name of a namespace, without wildcards; for every namespace write all: true instead of matchNames",
                }],
            },
        })
    }
}

/// The schema of `matchLabels`.
pub struct NamespaceLabels;

impl JsonSchema for NamespaceLabels {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "NamespaceLabels".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "object",
            "maxProperties": 16,
            "additionalProperties": {"type": "string", "maxLength": 63},
            "x-kubernetes-validations": [{
                "rule": "size(self) > 0",
                "message": "write at least one label; for every namespace write all: true instead of matchLabels",
            }],
        })
    }
}

/// The schema of `all`.
pub struct OnlyTrue;

impl JsonSchema for OnlyTrue {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "OnlyTrue".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "boolean",
            "x-kubernetes-validations": [{
                "rule": "self",
                "message": "write all: true for every namespace, or leave the whole entry out for none",
            }],
        })
    }
}
