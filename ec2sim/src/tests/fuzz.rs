//! Whatever arrives is answered, and the answer can be read: arbitrary bytes, and requests of which some bytes or
//! values are others than a client would send.

use std::sync::{Arc, Mutex};

use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use proptest::sample::{Index, select};
use quick_xml::Reader;
use quick_xml::events::Event;

use super::*;
use crate::front::Front;
use crate::{HttpRequest, Service};

const SIGNED: &str = "AWS4-HMAC-SHA256 Credential=AKIAEC2SIMHOME000001/20260601/us-east-1/ec2/aws4_request, SignedHeaders=host";

/// As [`SIGNED`], for STS.
const SIGNED_FOR_STS: &str = "AWS4-HMAC-SHA256 Credential=AKIAEC2SIMHOME000001/20260601/us-east-1/sts/aws4_request, SignedHeaders=host";

/// The signature that a client of the API of this version sends.
fn signature(request: &str) -> &'static str {
    if request.contains("Version=2011-06-15") {
        SIGNED_FOR_STS
    } else {
        SIGNED
    }
}

/// One of each action, as clients send it.
const REQUESTS: &[&str] = &[
    "Action=DescribeImages&Version=2016-11-15&Owner.1=self&Filter.1.Name=tag-key&Filter.1.Value.1=a&MaxResults=5",
    "Action=DescribeImages&Version=2016-11-15&ImageId.1=ami-0feedfacefeedface&IncludeDisabled=true",
    "Action=DescribeSnapshots&Version=2016-11-15&OwnerId.1=self&MaxResults=5&NextToken=x",
    "Action=DescribeInstances&Version=2016-11-15&InstanceId.1=i-0a1b2c3d4e5f60718",
    "Action=DescribeRegions&Version=2016-11-15&AllRegions=true",
    "Action=DescribeTags&Version=2016-11-15&Filter.1.Name=resource-id&Filter.1.Value.1=ami-0feedfacefeedface",
    "Action=DescribeImageAttribute&Version=2016-11-15&ImageId=ami-0feedfacefeedface&Attribute=launchPermission",
    "Action=DescribeImageReferences&Version=2016-11-15&ImageId.1=ami-0feedfacefeedface&IncludeAllResourceTypes=true",
    "Action=CreateImage&Version=2016-11-15&InstanceId=i-0a1b2c3d4e5f60718&Name=web&NoReboot=true\
     &BlockDeviceMapping.1.DeviceName=%2Fdev%2Fsdf&BlockDeviceMapping.1.NoDevice=\
     &TagSpecification.1.ResourceType=image&TagSpecification.1.Tag.1.Key=a&TagSpecification.1.Tag.1.Value=b",
    "Action=CopyImage&Version=2016-11-15&SourceRegion=us-east-1&SourceImageId=ami-0feedfacefeedface&Name=web\
     &ClientToken=t&Encrypted=true&KmsKeyId=alias%2Faws%2Febs&CopyImageTags=true",
    "Action=RegisterImage&Version=2016-11-15&Name=web&RootDeviceName=%2Fdev%2Fxvda&Architecture=arm64\
     &BlockDeviceMapping.1.DeviceName=%2Fdev%2Fxvda&BlockDeviceMapping.1.Ebs.SnapshotId=snap-0feedfacefeedface\
     &BlockDeviceMapping.1.Ebs.VolumeSize=8",
    "Action=CreateTags&Version=2016-11-15&ResourceId.1=ami-0feedfacefeedface&Tag.1.Key=a&Tag.1.Value=b",
    "Action=DeleteTags&Version=2016-11-15&ResourceId.1=ami-0feedfacefeedface&Tag.1.Key=a",
    "Action=DeregisterImage&Version=2016-11-15&ImageId=ami-0feedfacefeedface&DryRun=true",
    "Action=DeleteSnapshot&Version=2016-11-15&SnapshotId=snap-0feedfacefeedface",
    "Action=ModifyImageAttribute&Version=2016-11-15&ImageId=ami-0feedfacefeedface\
     &LaunchPermission.Add.1.UserId=444455556666",
    "Action=ResetImageAttribute&Version=2016-11-15&ImageId=ami-0feedfacefeedface&Attribute=launchPermission",
    "Action=ModifyImageAttribute&Version=2016-11-15&ImageId=ami-0feedfacefeedface&ImdsSupport.Value=v2.0",
    "Action=EnableImageDeprecation&Version=2016-11-15&ImageId=ami-0feedfacefeedface\
     &DeprecateAt=2027-01-02T03%3A04%3A05.678000Z",
    "Action=DisableImageDeprecation&Version=2016-11-15&ImageId=ami-0feedfacefeedface",
    "Action=EnableImageDeregistrationProtection&Version=2016-11-15&ImageId=ami-0feedfacefeedface&WithCooldown=true",
    "Action=DisableImageDeregistrationProtection&Version=2016-11-15&ImageId=ami-0feedfacefeedface",
    "Action=ModifyImageAttribute&Version=2016-11-15&ImageId=ami-0feedfacefeedface\
     &LaunchPermission.Add.1.OrganizationArn=arn%3Aaws%3Aorganizations%3A%3A111122223333%3Aorganization%2Fo-example0001",
    "Action=ModifySnapshotAttribute&Version=2016-11-15&SnapshotId=snap-0feedfacefeedface\
     &CreateVolumePermission.Add.1.UserId=444455556666",
    "Action=DescribeSnapshotAttribute&Version=2016-11-15&SnapshotId=snap-0feedfacefeedface\
     &Attribute=createVolumePermission",
    "Action=ResetSnapshotAttribute&Version=2016-11-15&SnapshotId=snap-0feedfacefeedface&Attribute=createVolumePermission",
    "Action=GetImageBlockPublicAccessState&Version=2016-11-15",
    "Action=EnableImageBlockPublicAccess&Version=2016-11-15&ImageBlockPublicAccessState=block-new-sharing",
    "Action=DisableImageBlockPublicAccess&Version=2016-11-15",
    "Action=GetEbsEncryptionByDefault&Version=2016-11-15",
    "Action=EnableEbsEncryptionByDefault&Version=2016-11-15",
    "Action=DisableEbsEncryptionByDefault&Version=2016-11-15",
    "Action=GetAllowedImagesSettings&Version=2016-11-15",
    "Action=GetEbsDefaultKmsKeyId&Version=2016-11-15",
    "Action=EnableFastLaunch&Version=2016-11-15&ImageId=ami-0feedfacefeedface&MaxParallelLaunches=6\
     &SnapshotConfiguration.TargetResourceCount=2",
    "Action=DisableFastLaunch&Version=2016-11-15&ImageId=ami-0feedfacefeedface&Force=true",
    "Action=DescribeFastLaunchImages&Version=2016-11-15&MaxResults=5&Filter.1.Name=state&Filter.1.Value.1=enabled",
    "Action=ListImagesInRecycleBin&Version=2016-11-15&MaxResults=5",
    "Action=RestoreImageFromRecycleBin&Version=2016-11-15&ImageId=ami-0feedfacefeedface",
    "Action=ListSnapshotsInRecycleBin&Version=2016-11-15&SnapshotId.1=snap-0feedfacefeedface",
    "Action=RestoreSnapshotFromRecycleBin&Version=2016-11-15&SnapshotId=snap-0feedfacefeedface",
    "Action=CreateImageUsageReport&Version=2016-11-15&ImageId=ami-0feedfacefeedface&ClientToken=t\
     &ResourceType.1.ResourceType=ec2%3ALaunchTemplate&ResourceType.1.ResourceTypeOption.1.OptionName=version-depth\
     &ResourceType.1.ResourceTypeOption.1.OptionValue.1=100&AccountId.1=444455556666",
    "Action=DescribeImageUsageReports&Version=2016-11-15&ImageId.1=ami-0feedfacefeedface&MaxResults=5",
    "Action=DescribeImageUsageReportEntries&Version=2016-11-15&Filter.1.Name=account-id&Filter.1.Value.1=444455556666",
    "Action=DeleteImageUsageReport&Version=2016-11-15&ReportId=amiur-0feedfacefeedface",
    "Action=RunInstances&Version=2016-11-15&ImageId=ami-0feedfacefeedface&MinCount=1&MaxCount=1",
    "Action=RunInstances&Version=2016-11-15&LaunchTemplate.LaunchTemplateId=lt-0123456789abcdef0&LaunchTemplate.Version=1\
     &MinCount=1&MaxCount=2&InstanceType=t3.micro&ClientToken=t&UserData=IyEvYmluL3NoCnNodXRkb3duIC1oIG5vdwo%3D\
     &BlockDeviceMapping.1.DeviceName=%2Fdev%2Fxvda&BlockDeviceMapping.1.Ebs.VolumeSize=9&Placement.AvailabilityZone=us-east-1b\
     &MetadataOptions.HttpTokens=required&InstanceMarketOptions.MarketType=spot&InstanceInitiatedShutdownBehavior=stop\
     &TagSpecification.1.ResourceType=volume&TagSpecification.1.Tag.1.Key=a&TagSpecification.1.Tag.1.Value=b",
    "Action=TerminateInstances&Version=2016-11-15&InstanceId.1=i-0a1b2c3d4e5f60718",
    "Action=StopInstances&Version=2016-11-15&InstanceId.1=i-0a1b2c3d4e5f60718&Force=true",
    "Action=StartInstances&Version=2016-11-15&InstanceId.1=i-0a1b2c3d4e5f60718",
    "Action=ModifyInstanceAttribute&Version=2016-11-15&InstanceId=i-0a1b2c3d4e5f60718&DisableApiTermination.Value=true",
    "Action=DescribeInstanceAttribute&Version=2016-11-15&InstanceId=i-0a1b2c3d4e5f60718&Attribute=userData",
    "Action=DescribeInstanceStatus&Version=2016-11-15&IncludeAllInstances=true&MaxResults=5",
    "Action=GetConsoleOutput&Version=2016-11-15&InstanceId=i-0a1b2c3d4e5f60718&Latest=true",
    "Action=DescribeVolumes&Version=2016-11-15&Filter.1.Name=attachment.instance-id&Filter.1.Value.1=i-0a1b2c3d4e5f60718",
    "Action=DescribeVpcs&Version=2016-11-15&Filter.1.Name=is-default&Filter.1.Value.1=true",
    "Action=DescribeSubnets&Version=2016-11-15&Filter.1.Name=availability-zone&Filter.1.Value.1=us-east-1a&MaxResults=5",
    "Action=DescribeSecurityGroups&Version=2016-11-15&GroupName.1=default",
    "Action=DescribeKeyPairs&Version=2016-11-15&Filter.1.Name=key-name&Filter.1.Value.1=a",
    "Action=DescribeAvailabilityZones&Version=2016-11-15&ZoneName.1=us-east-1a",
    "Action=DescribeInstanceTypeOfferings&Version=2016-11-15&LocationType=availability-zone&MaxResults=5",
    "Action=CreateLaunchTemplate&Version=2016-11-15&LaunchTemplateName=new&LaunchTemplateData.ImageId=ami-0feedfacefeedface\
     &LaunchTemplateData.NetworkInterface.1.DeviceIndex=0&LaunchTemplateData.NetworkInterface.1.SecurityGroupId.1=sg-0123456789abcdef0\
     &TagSpecification.1.ResourceType=launch-template&TagSpecification.1.Tag.1.Key=a&TagSpecification.1.Tag.1.Value=b",
    "Action=CreateLaunchTemplateVersion&Version=2016-11-15&LaunchTemplateName=web&SourceVersion=1&ClientToken=t\
     &LaunchTemplateData.InstanceType=t3.micro",
    "Action=ModifyLaunchTemplate&Version=2016-11-15&LaunchTemplateName=web&SetDefaultVersion=2",
    "Action=DescribeLaunchTemplates&Version=2016-11-15&MaxResults=5&Filter.1.Name=tag-key&Filter.1.Value.1=a",
    "Action=DescribeLaunchTemplateVersions&Version=2016-11-15&LaunchTemplateName=web&MinVersion=1&MaxResults=5",
    "Action=DeleteLaunchTemplateVersions&Version=2016-11-15&LaunchTemplateName=web&LaunchTemplateVersion.1=2",
    "Action=DeleteLaunchTemplate&Version=2016-11-15&LaunchTemplateId=lt-0123456789abcdef0",
    "Action=GetCallerIdentity&Version=2011-06-15",
    "Action=AssumeRole&Version=2011-06-15&RoleArn=arn%3Aaws%3Aiam%3A%3A111122223333%3Arole%2Fx&RoleSessionName=s",
];

/// Values that no field was made for.
const ODD: &[&str] = &[
    "",
    "0",
    "-1",
    "1",
    "99999999999999999999",
    "true",
    "null",
    "%00",
    "%FF%FE",
    "%ED%A0%80",
    "*",
    "?",
    "[",
    "\\",
    "%3C%26%22%5D%5D%3E",
    "ami-",
    "snap-ffffffffffffffff",
    "aws%3Ax",
    "%F0%9F%92%BE",
];

/// A change of some bytes, or of the name or value of a parameter.
#[derive(Clone, Debug)]
enum Change {
    Byte(Index, u8),
    Cut(Index),
    Insert(Index, Vec<u8>),
    Value(Index, &'static str),
    Twice(Index),
    Name(Index, &'static str),
}

fn change() -> impl Strategy<Value = Change> {
    let at = any::<Index>;
    let name = select(vec![
        "Filter.0.Name",
        "Tag.2.Key",
        "Tag.1",
        "Filter.99999999999.Value.1",
        ".",
        "Owner.1.1",
        "DryRun",
    ]);
    prop_oneof![
        1 => (at(), any::<u8>()).prop_map(|(at, byte)| Change::Byte(at, byte)),
        1 => at().prop_map(Change::Cut),
        1 => (at(), vec(any::<u8>(), 1..9)).prop_map(|(at, bytes)| Change::Insert(at, bytes)),
        4 => (at(), select(ODD.to_vec())).prop_map(|(at, value)| Change::Value(at, value)),
        1 => at().prop_map(Change::Twice),
        2 => (at(), name).prop_map(|(at, name)| Change::Name(at, name)),
    ]
}

impl Change {
    fn apply(&self, request: &mut Vec<u8>) {
        match self {
            Self::Byte(at, byte) if !request.is_empty() => {
                let at = at.index(request.len());
                request[at] = *byte;
            }
            Self::Byte(..) => {}
            Self::Cut(at) => request.truncate(at.index(request.len() + 1)),
            Self::Insert(at, bytes) => {
                let at = at.index(request.len() + 1);
                request.splice(at..at, bytes.iter().copied());
            }
            Self::Value(..) | Self::Twice(_) | Self::Name(..) => {
                let mut parameters: Vec<Vec<u8>> = request
                    .split(|byte| *byte == b'&')
                    .map(<[u8]>::to_vec)
                    .collect();
                self.apply_to(&mut parameters);
                *request = parameters.join(&b'&');
            }
        }
    }

    fn apply_to(&self, parameters: &mut Vec<Vec<u8>>) {
        let named = |at: &Index| {
            let at = at.index(parameters.len());
            let text = &parameters[at];
            let end = text
                .iter()
                .position(|byte| *byte == b'=')
                .unwrap_or(text.len());
            (at, text[..end].to_vec(), text[end..].to_vec())
        };
        match self {
            Self::Value(at, value) => {
                let (at, name, _) = named(at);
                parameters[at] = [name.as_slice(), b"=", value.as_bytes()].concat();
            }
            Self::Name(at, name) => {
                let (at, _, value) = named(at);
                parameters[at] = [name.as_bytes(), &value].concat();
            }
            Self::Twice(at) => {
                let again = parameters[at.index(parameters.len())].clone();
                parameters.push(again);
            }
            _ => {}
        }
    }
}

fn front() -> Front {
    Front::new(Arc::new(Mutex::new(Ec2::calm().world)))
}

fn moment() -> Timestamp {
    Ec2::calm().now
}

/// Whether a client could read it: one whole element, or one JSON value.
fn is_whole(answer: &Answer, service: Service) -> bool {
    if service == Service::Ssm {
        return serde_json::from_str::<serde_json::Value>(&answer.body).is_ok();
    }
    // XML 1.0, "Characters".
    let is_xml = |one: char| one >= ' ' && !('\u{fffe}'..='\u{ffff}').contains(&one);
    if !answer
        .body
        .chars()
        .all(|one| is_xml(one) || "\t\n\r".contains(one))
    {
        return false;
    }
    let mut reader = Reader::from_str(&answer.body);
    let mut open = 0;
    let mut elements = 0;
    loop {
        match reader.read_event() {
            Ok(Event::Start(_)) => {
                elements += i32::from(open == 0);
                open += 1;
            }
            Ok(Event::End(_)) => open -= 1,
            Ok(Event::Eof) => return open == 0 && elements == 1,
            Ok(_) => {}
            Err(_) => return false,
        }
    }
}

fn is_answered(front: &Front, request: HttpRequest<'_>) -> Result<(), TestCaseError> {
    let (caller, _) = request.read();
    let answer = front.answer(moment(), request);
    prop_assert!(is_whole(&answer, caller.service), "{}", answer.body);
    prop_assert!((200..600).contains(&answer.status), "{}", answer.status);
    prop_assert_eq!(answer.error.is_none(), answer.status == 200);
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(1024) })]

    #[test]
    fn arbitrary_bytes_are_answered(
        body in vec(any::<u8>(), 0..200),
        query in option::of("\\PC{0,60}"),
        authorization in option::of(prop_oneof![Just(SIGNED.to_owned()), "\\PC{0,60}", "Credential=\\PC{0,40}"]),
        security_token in option::of("\\PC{0,20}"),
        target in option::of(prop_oneof!["\\PC{0,20}", "AmazonSSM\\.\\PC{0,20}", Just("AmazonSSM.GetParameter".to_owned())]),
    ) {
        let request = HttpRequest {
            authorization: authorization.as_deref(),
            security_token: security_token.as_deref(),
            target: target.as_deref(),
            query: query.as_deref(),
            body: &body,
        };
        is_answered(&front(), request)?;
    }

    #[test]
    fn requests_with_something_else_in_them_are_answered(
        requests in vec((select(REQUESTS.to_vec()), vec(change(), 0..4)), 1..5),
    ) {
        let front = front();
        for (request, changes) in requests {
            let authorization = Some(signature(request));
            let mut body = request.as_bytes().to_vec();
            for change in changes {
                change.apply(&mut body);
            }
            let request = HttpRequest { authorization, body: &body, ..HttpRequest::default() };
            is_answered(&front, request)?;
        }
    }
}

#[test]
fn the_requests_that_are_spoilt_are_understood_unspoilt() {
    for request in REQUESTS {
        let asked = HttpRequest {
            authorization: Some(signature(request)),
            body: request.as_bytes(),
            ..HttpRequest::default()
        };
        let answer = front().answer(moment(), asked);
        let unknown = [
            "InvalidAction",
            "UnknownParameter",
            "MissingParameter",
            "AuthFailure",
        ];
        let error = answer.error.as_deref().unwrap_or_default();
        assert!(!unknown.contains(&error), "{request}: {}", answer.body);
    }
}
