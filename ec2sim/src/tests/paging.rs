//! Pages and tokens.

use super::*;

fn crowded(knobs: &Knobs) -> Ec2 {
    let mut ec2 = Ec2::with(Knobs {
        concurrent_snapshot_copies: None,
        ..knobs.clone()
    });
    ec2.at("eu-west-1");
    for _ in 0..23 {
        ec2.copy(GOLDEN, &[]);
    }
    ec2
}

/// Follows tokens to the end: the ids, and how many pages were empty.
fn all_pages(ec2: &mut Ec2, size: &str) -> (Vec<String>, usize) {
    let (mut ids, mut empty, mut token) = (Vec::new(), 0, String::new());
    loop {
        let mut parameters = vec![("Owner.1", "self"), ("MaxResults", size)];
        if !token.is_empty() {
            parameters.push(("NextToken", token.as_str()));
        }
        let body = ec2.ok("DescribeImages", &parameters);
        let page = texts(&body, "imageId");
        empty += usize::from(page.is_empty());
        ids.extend(page);
        match text(&body, "nextToken") {
            Some(next) => {
                assert_ne!(next, token, "a repeated token ends some clients' lists");
                token = next;
            }
            None => return (ids, empty),
        }
    }
}

#[test]
fn pages_hold_every_item_once() {
    let mut ec2 = crowded(&Knobs::calm());
    let (mut ids, empty) = all_pages(&mut ec2, "5");
    ids.sort();
    assert_eq!(empty, 0);
    assert_eq!(ids, ec2.list(&[("Owner.1", "self")]));
}

#[test]
fn pages_may_be_empty_and_go_on() {
    let mut ec2 = crowded(&Knobs {
        empty_pages_per_mille: 1000,
        ..Knobs::calm()
    });
    let (ids, empty) = all_pages(&mut ec2, "5");
    assert_eq!(ids.len(), 23);
    assert!(empty >= 5);
}

#[test]
fn without_max_results_the_world_decides() {
    let mut ec2 = crowded(&Knobs {
        default_page_size: 10,
        ..Knobs::calm()
    });
    let body = ec2.ok("DescribeImages", &[("Owner.1", "self")]);
    assert_eq!(texts(&body, "imageId").len(), 10);
    assert!(text(&body, "nextToken").is_some());
}

#[test]
fn max_results_and_ids_exclude_each_other() {
    let mut ec2 = Ec2::calm();
    let parameters = [("ImageId.1", GOLDEN), ("MaxResults", "5")];
    assert_eq!(
        ec2.code("DescribeImages", &parameters),
        "InvalidParameterCombination"
    );
}

#[test]
fn a_token_is_good_only_for_the_list_it_is_of() {
    let mut ec2 = crowded(&Knobs::calm());
    let body = ec2.ok(
        "DescribeImages",
        &[("Owner.1", "self"), ("MaxResults", "5")],
    );
    let token = text(&body, "nextToken").expect("a token");
    let elsewhere = [("MaxResults", "5"), ("NextToken", token.as_str())];
    assert_eq!(ec2.code("DescribeImages", &elsewhere), "InvalidNextToken");
    assert_eq!(
        ec2.code("DescribeImages", &[("NextToken", "nonsense")]),
        "InvalidNextToken"
    );
}

#[test]
fn instances_want_at_least_five_on_a_page() {
    let (code, message) = Ec2::calm().refused("DescribeInstances", &[("MaxResults", "3")]);
    assert_eq!(code, "InvalidParameterValue");
    assert_eq!(
        message,
        "Value ( 3 ) for parameter maxResults is invalid. Expecting a value greater than 5."
    );
}
