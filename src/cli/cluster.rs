//! What a cluster has of Amity's, read once.

use amity_core::api::{AwsAccount, MachineImage};
use amity_core::image::observed::ConfigMaps;
use k8s_openapi::api::core::v1::{ConfigMap, Namespace};
use kube::api::ListParams;
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::{Api, Client, Config, Resource, ResourceExt};

use super::Error;
use super::look::Asked;
use crate::controller::config_maps;

/// A cluster.
pub struct Cluster {
    /// The uid of its namespace `kube-system`.
    pub uid: String,
    /// What it has.
    pub asked: Asked,
}

/// A client of a context of the kubeconfig; of the current one, where none is named.
///
/// # Errors
/// There is no such context, or the kubeconfig cannot be read.
pub async fn client(context: Option<&str>) -> Result<Client, Error> {
    let config = match context {
        None => Config::infer().await?,
        Some(context) => {
            let options = KubeConfigOptions {
                context: Some(context.to_owned()),
                ..KubeConfigOptions::default()
            };
            Config::from_custom_kubeconfig(Kubeconfig::read()?, &options).await?
        }
    };
    Ok(Client::try_from(config)?)
}

/// Reads a cluster.
///
/// # Errors
/// It cannot be read.
pub async fn read(client: &Client) -> Result<Cluster, Error> {
    let all = ListParams::default();
    let (images, accounts, namespaces) = (
        Api::<MachineImage>::all(client.clone()),
        Api::<AwsAccount>::all(client.clone()),
        Api::<Namespace>::all(client.clone()),
    );
    let (images, accounts, namespaces) = tokio::try_join!(
        images.list(&all),
        accounts.list(&all),
        namespaces.list_metadata(&all),
    )?;
    let labelled = ListParams::default().labels(&config_maps::selector());
    let all_config_maps = Api::<ConfigMap>::all(client.clone())
        .list(&labelled)
        .await?;
    let uid = namespaces
        .iter()
        .find(|namespace| namespace.name_any() == "kube-system")
        .and_then(|namespace| namespace.metadata.uid.clone())
        .ok_or("namespace kube-system has no uid")?;
    let config_maps_of = |image: &MachineImage| ConfigMaps {
        ours: all_config_maps
            .iter()
            .filter(|one| config_maps::is_of(one, image))
            .map(|one| (one.name_any(), one.data.clone().unwrap_or_default()))
            .collect(),
        // That it is somebody else's is told when it is written.
        name_is_taken: Some(false),
    };
    let asked = Asked {
        config_maps: images
            .iter()
            .map(|image| (image.key(), config_maps_of(image)))
            .collect(),
        images: images
            .items
            .into_iter()
            .map(|image| (image.key(), image))
            .collect(),
        accounts: accounts
            .items
            .into_iter()
            .filter(|account| account.meta().deletion_timestamp.is_none())
            .map(|account| (account.name_any(), account))
            .collect(),
        namespaces: namespaces
            .items
            .iter()
            .map(|namespace| (namespace.name_any(), namespace.labels().clone()))
            .collect(),
    };
    Ok(Cluster { uid, asked })
}
