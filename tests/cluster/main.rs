//! The controller as a process, on a real API server, against an EC2 of its own, with kubectl as the
//! user: what users rely on, one test for each behaviour.
//!
//! | file | what it is about |
//! | --- | --- |
//! | [`lab`] | what the tests share: who runs what, and how a test looks at it |
//! | [`life`] | an image from its first day to its last |
//! | [`mending`] | what stands in the way is said, and goes on by itself once it is mended |
//! | [`process`] | the process itself: killed, stopped, started early, left alone |

mod lab;
mod life;
mod mending;
mod process;
