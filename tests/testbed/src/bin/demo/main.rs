//! `make demo`: Amity at work on a real Kubernetes API server and a simulated EC2, told in chapters.
//!
//! Everything that is claimed is checked: the demo fails where something is not so. With `KEEP=1`
//! everything is left running at the end.
//!
//! | file | what is in it |
//! | --- | --- |
//! | [`stage`] | what is started |
//! | [`story`] | the chapters |
//! | [`watch`] | waiting for a `MachineImage`, with progress |
//! | [`balance`] | what EC2 holds in the end, and what it took |
//! | [`tell`] | how it is printed |

#![forbid(unsafe_code)]

mod balance;
mod stage;
mod story;
mod tell;
mod watch;

use std::env;
use std::process::ExitCode;
use std::time::Instant;

use amity_testbed::{control_plane_assets, leave_running};

use self::stage::{SPEED, Stage, Told};

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("\ndemo: this should not have happened: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Told<()> {
    let begun = Instant::now();
    tell::title("Amity: a MachineImage says which image and where; EC2 follows");
    tell::say(&format!(
        "A real Kubernetes API server, and an EC2 that is simulated and {SPEED} times faster than \
         the real one. Nothing here reaches AWS."
    ));
    println!();
    let mut stage = Stage::set()?;
    let first = story::an_image_in_three_regions(&stage)?;
    story::other_sources(&stage)?;
    story::a_region_is_added(&stage)?;
    story::a_region_is_removed(&stage)?;
    story::the_image_is_rebuilt(&stage)?;
    story::the_rebuild_is_reverted(&stage)?;
    story::amity_is_killed(&mut stage)?;
    story::a_mistake_is_explained(&stage)?;
    story::everything_is_deleted(&stage)?;
    balance::show(&mut stage, &first)?;
    println!("\nThat was all, in {} s.", begun.elapsed().as_secs());
    finish(stage)
}

fn finish(stage: Stage) -> Told<()> {
    if env::var("KEEP").is_ok_and(|keep| !keep.is_empty() && keep != "0") {
        return keep(&stage);
    }
    tell::say(
        "Everything is taken down again. KEEP=1 make demo leaves it running, for you to try. \
         README.md says how to go on.",
    );
    drop(stage);
    Ok(())
}

fn keep(stage: &Stage) -> Told<()> {
    let left = leave_running()?;
    println!("\nEverything is left running. To look around:\n");
    println!("  export KUBECONFIG={}", stage.kubeconfig().display());
    println!("  export PATH={}:$PATH", control_plane_assets()?.display());
    println!("  kubectl apply -f examples/");
    println!("  kubectl get machineimages -A --watch");
    println!("  kubectl describe machineimage web -n images");
    println!("  kubectl explain machineimage.spec");
    println!("  curl http://{}/metrics", stage.amity.address());
    println!("  curl {}/_ec2sim/world", stage.ec2.endpoint());
    println!("\nWith the AWS CLI, any secret will do:\n");
    println!("  export AWS_ENDPOINT_URL={}", stage.ec2.endpoint());
    println!("  export AWS_ACCESS_KEY_ID=AKIAEC2SIMHOME000001 AWS_SECRET_ACCESS_KEY=any");
    println!("  aws ec2 describe-images --owners self --region eu-west-1");
    println!("\nLogs are in {}. To stop it all:\n", left.folder.display());
    println!("  {}", left.stop_command());
    Ok(())
}
