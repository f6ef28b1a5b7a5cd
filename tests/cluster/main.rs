//! The controller as a process, on a real API server, against an EC2 of its own, with kubectl as the
//! user: what users rely on, one test for each behaviour.
//!
//! | file | what it is about |
//! | --- | --- |
//! | [`lab`] | what the tests share: who runs what, and how a test looks at it |
//! | [`life`] | an image from its first day to its last |
//! | [`sources`] | what an image is made from, and that it stays that |
//! | [`keeping`] | what is superseded or deleted: what stays, for how long, and who says so |
//! | [`accounts`] | an `AwsAccount` and what it holds |
//! | [`mending`] | what stands in the way is said, and goes on by itself once it is mended |
//! | [`process`] | the process itself: killed, stopped, started early, left alone |
//! | [`succession`] | another cluster, and objects of another version |
//! | [`conversation`] | kubesim, on which the simulations stand, answers as the real API server does |

mod accounts;
mod conversation;
mod keeping;
mod lab;
mod life;
mod mending;
mod process;
mod sources;
mod succession;
