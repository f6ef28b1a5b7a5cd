//! What is installed: the Helm chart, the kustomizations and the admission policies, each by the program that
//! users take for it, and on a real API server.
//!
//! | file | what it is about |
//! | --- | --- |
//! | [`helm`] | helm, as a user runs it |
//! | [`chart`] | what the chart renders, and which values it refuses |
//! | [`install`] | the chart installed, upgraded and uninstalled, and Amity with its rights |
//! | [`kustomize`] | the base and the overlays |
//! | [`policies`] | the admission policies, tried |

mod chart;
mod helm;
mod install;
mod kustomize;
mod manifests;
mod policies;
