//! What an image takes in memory: the inventory keeps every one of every place.

use std::collections::BTreeMap;
use std::mem::size_of;

use amity_core::image::identity::tag;
use amity_core::image::observed::{Image, ImageState};
use aws_sdk_ec2::types;
use jiff::Timestamp;

use super::entry::Entry;
use super::read;

/// What the tags of an image of Amity's look like.
fn tags() -> BTreeMap<String, String> {
    [
        (tag::OWNER, "production"),
        (tag::CLUSTER, "0b8a4d4e-6c7f-4a3e-9a51-0d2b6f4f8f11"),
        (tag::OBJECT, "platform/web-server"),
        (tag::REVISION, "3f9a1c07d2"),
        (tag::ORIGIN, "us-east-1/i-0a1b2c3d4e5f60718"),
        (tag::SOURCE, "us-east-1/ami-0a2b3c4d5e6f70819"),
        (tag::VARIANT, "source"),
        (tag::SELF, "ami-0a2b3c4d5e6f70818"),
        (tag::PUBLISHED, "2026-03-01T00:00:00Z"),
        ("Name", "web-server"),
        ("team", "platform"),
    ]
    .into_iter()
    .map(|(key, value)| (key.to_owned(), value.to_owned()))
    .collect()
}

/// A copy with two volumes, as EC2 lists it.
fn listed() -> types::Image {
    let volume = |device: &str, snapshot: &str| {
        let ebs = types::EbsBlockDevice::builder()
            .snapshot_id(snapshot)
            .volume_size(8)
            .volume_type(types::VolumeType::Gp3)
            .delete_on_termination(true)
            .encrypted(false)
            .build();
        types::BlockDeviceMapping::builder()
            .device_name(device)
            .ebs(ebs)
            .build()
    };
    let tags = tags()
        .into_iter()
        .map(|(key, value)| types::Tag::builder().key(key).value(value).build());
    types::Image::builder()
        .image_id("ami-0a2b3c4d5e6f70818")
        .name("web-server-3f9a1c07d2")
        .image_location("111122223333/web-server-3f9a1c07d2")
        .state(types::ImageState::Available)
        .creation_date("2026-02-01T12:00:00.000Z")
        .owner_id("111122223333")
        .source_image_region("us-east-1")
        .source_image_id("ami-0a2b3c4d5e6f70819")
        .root_device_name("/dev/xvda")
        .platform_details("Linux/UNIX")
        .usage_operation("RunInstances")
        .description("the web server of the platform team")
        .last_launched_time("2026-02-20T12:00:00Z")
        .block_device_mappings(volume("/dev/xvda", "snap-0a2b3c4d5e6f70819"))
        .block_device_mappings(volume("/dev/sdf", "snap-0a2b3c4d5e6f7081a"))
        .set_tags(Some(tags.collect()))
        .build()
}

fn of_text(text: Option<&String>) -> usize {
    text.map_or(0, String::capacity)
}

fn heap_of(image: &Image) -> usize {
    let texts = [
        Some(&image.id),
        Some(&image.name),
        image.state_reason.as_ref(),
        image.source_instance.as_ref(),
        image.source_image.as_ref().map(|source| &source.id),
        image.source_image.as_ref().map(|source| &source.region),
    ];
    let snapshots = image.snapshots.capacity() * size_of::<String>()
        + image.snapshots.iter().map(String::capacity).sum::<usize>();
    texts.into_iter().map(of_text).sum::<usize>() + snapshots
}

/// The same of the SDK's image: less than the truth, since only what is filled in is counted.
fn heap_of_sdks(image: &types::Image) -> usize {
    let tags = size_of_val(image.tags())
        + tags()
            .iter()
            .map(|(key, value)| key.len() + value.len())
            .sum::<usize>();
    let texts = [
        image.image_id(),
        image.name(),
        image.image_location(),
        image.creation_date(),
        image.owner_id(),
        image.source_image_region(),
        image.source_image_id(),
        image.root_device_name(),
        image.platform_details(),
        image.usage_operation(),
        image.description(),
        image.last_launched_time(),
    ];
    let devices = image.block_device_mappings().iter().map(|device| {
        let snapshot = device.ebs().and_then(|ebs| ebs.snapshot_id());
        device.device_name().map_or(0, str::len) + snapshot.map_or(0, str::len)
    });
    texts.into_iter().flatten().map(str::len).sum::<usize>()
        + size_of_val(image.block_device_mappings())
        + devices.sum::<usize>()
        + tags
}

/// With what is known of it besides an image takes 320 bytes, which an allocator has a size for; its texts take 200, and its
/// tags, of which users give as many as they like, 250 more. The largest place there can be, 50,000 images (EC2's quota), is
/// 40 MB.
#[test]
fn an_image_takes_a_kilobyte_and_less_than_the_sdks() {
    let listed = listed();
    let image = read::image_of(&listed, ImageState::Available).expect("it is whole");
    let entry = Entry::found(image.clone(), Timestamp::UNIX_EPOCH);
    let tags = entry.item.tags.size();
    let heap = heap_of(&entry.item) + tags;
    let ours = size_of_val(&entry) + heap;
    let theirs = size_of::<types::Image>() + heap_of_sdks(&listed);
    let sizes = format!(
        "image {}, entry {}, heap {heap} with tags {tags}: {ours}; the SDK's {theirs}",
        size_of::<Image>(),
        size_of_val(&entry),
    );
    println!("{sizes}");
    assert!(size_of_val(&entry) <= 320, "{sizes}");
    assert!(heap - tags <= 300, "{sizes}");
    assert!(ours <= 850, "{sizes}");
    assert!(ours < theirs, "{sizes}");
}
