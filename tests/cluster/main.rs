//! The controller as a process, on a real API server, against an EC2 of its own, with kubectl as the
//! user: what users rely on, one test for each behaviour.
//!
//! | file | what it is about |
//! | --- | --- |
//! | [`lab`] | what the tests share: who runs what, and how a test looks at it |
//! | [`life`] | an image from its first day to its last |
//! | [`sources`] | what an image is made from, and that it stays that |
//! | [`building`] | a machine that is launched to be captured |
//! | [`keeping`] | what is superseded or deleted: what stays, for how long, and who says so |
//! | [`adopting`] | what others made is taken over |
//! | [`recycling`] | what somebody deregisters comes back from the Recycle Bin |
//! | [`publishing`] | the parameters that name published images, and who launches by them |
//! | [`attributes`] | description, deprecation, protection, and what consumers select by |
//! | [`accounts`] | an `AwsAccount` and what it holds |
//! | [`spokes`] | an image in several accounts, and what it is encrypted with |
//! | [`mending`] | what stands in the way is said, and goes on by itself once it is mended |
//! | [`process`] | the process itself: killed, stopped, started early, left alone |
//! | [`observing`] | what an operator sees of the process: metrics, log, traces, plans |
//! | [`replicas`] | two of it: one acts, the other takes over |
//! | [`fleet`] | ten images in four regions, under two replicas, and what must be true of them in the end |
//! | [`kills`] | the leader killed and stopped at random moments, as often as you like |
//! | [`outages`] | what befalls the cluster itself in the middle of a roll-out |
//! | [`succession`] | another cluster, and objects of another version |
//! | [`flux`] | images that are kept in Git and applied by Flux's own controllers |
//! | [`commands`] | `amity plan` and `amity status`, which read the same cluster |
//! | [`health`] | what kstatus and Argo CD make of an object in each phase of its life |
//! | [`conversation`] | kubesim, on which the simulations stand, answers as the real API server does |

mod accounts;
mod adopting;
mod attributes;
mod building;
mod commands;
mod conversation;
mod fleet;
mod flux;
mod health;
mod keeping;
mod kills;
mod lab;
mod life;
mod mending;
mod observing;
mod outages;
mod process;
mod publishing;
mod recycling;
mod replicas;
mod sharing;
mod sources;
mod spokes;
mod succession;
