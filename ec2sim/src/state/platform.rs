//! What runs on a disk, and how EC2 bills it (docs: UG billing-info-fields).

use std::fmt;

use serde::{Deserialize, Serialize};

/// An operating system with its software, as EC2 tells them apart.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(rename_all = "kebab-case")]
pub enum Platform {
    /// Linux without a licence, or any other Unix.
    #[default]
    Linux,
    /// Red Hat Enterprise Linux.
    Rhel,
    /// Red Hat Enterprise Linux with High Availability.
    RhelHa,
    /// SUSE Linux.
    Suse,
    /// Ubuntu Pro.
    UbuntuPro,
    /// SQL Server Standard on Linux.
    SqlStandard,
    /// SQL Server Enterprise on Linux.
    SqlEnterprise,
    /// SQL Server Web on Linux.
    SqlWeb,
    /// Windows.
    Windows,
    /// Windows with a licence of the user's.
    WindowsByol,
    /// SQL Server Standard on Windows.
    WindowsSqlStandard,
    /// SQL Server Enterprise on Windows.
    WindowsSqlEnterprise,
    /// SQL Server Web on Windows.
    WindowsSqlWeb,
}

impl Platform {
    /// Whether it is Windows, the only value that `platform` takes.
    pub fn is_windows(self) -> bool {
        matches!(
            self,
            Self::Windows
                | Self::WindowsByol
                | Self::WindowsSqlStandard
                | Self::WindowsSqlEnterprise
                | Self::WindowsSqlWeb
        )
    }

    /// `usageOperation`, which is what the bill says.
    pub fn usage_operation(self) -> &'static str {
        match self {
            Self::Linux => "RunInstances",
            Self::Rhel => "RunInstances:0010",
            Self::RhelHa => "RunInstances:1010",
            Self::Suse => "RunInstances:000g",
            Self::UbuntuPro => "RunInstances:0g00",
            Self::SqlStandard => "RunInstances:0004",
            Self::SqlEnterprise => "RunInstances:0100",
            Self::SqlWeb => "RunInstances:0200",
            Self::Windows => "RunInstances:0002",
            Self::WindowsByol => "RunInstances:0800",
            Self::WindowsSqlStandard => "RunInstances:0006",
            Self::WindowsSqlEnterprise => "RunInstances:0102",
            Self::WindowsSqlWeb => "RunInstances:0202",
        }
    }
}

/// `platformDetails`.
impl fmt::Display for Platform {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(match self {
            Self::Linux => "Linux/UNIX",
            Self::Rhel => "Red Hat Enterprise Linux",
            Self::RhelHa => "Red Hat Enterprise Linux with HA",
            Self::Suse => "SUSE Linux",
            Self::UbuntuPro => "Ubuntu Pro",
            Self::SqlStandard => "SQL Server Standard",
            Self::SqlEnterprise => "SQL Server Enterprise",
            Self::SqlWeb => "SQL Server Web",
            Self::Windows => "Windows",
            Self::WindowsByol => "Windows BYOL",
            Self::WindowsSqlStandard => "Windows with SQL Server Standard",
            Self::WindowsSqlEnterprise => "Windows with SQL Server Enterprise",
            Self::WindowsSqlWeb => "Windows with SQL Server Web",
        })
    }
}
