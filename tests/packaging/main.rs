//! What is installed: the Helm chart, the kustomizations, the admission policies and the container
//! image, each by the program that users take for it, and on a real API server.
//!
//! | file | what it is about |
//! | --- | --- |
//! | [`helm`] | helm, as a user runs it |
//! | [`chart`] | what the chart renders, and which values it refuses |
//! | [`install`] | the chart installed, upgraded and uninstalled, and Amity with its rights |
//! | [`kustomize`] | the base and the overlays |
//! | [`policies`] | the admission policies, tried |
//! | [`image`] | the container image, as far as it can be made where no container can |

mod chart;
mod helm;
mod image;
mod install;
mod kustomize;
mod manifests;
mod policies;
