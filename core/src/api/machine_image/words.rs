//! EC2's own words for what an image is.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

// No documentation for users on these types and values: the fields explain them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[allow(missing_docs)]
pub enum Architecture {
    #[serde(rename = "x86_64")]
    X86_64,
    #[serde(rename = "arm64")]
    Arm64,
    #[serde(rename = "i386")]
    I386,
    #[serde(rename = "x86_64_mac")]
    X86_64Mac,
    #[serde(rename = "arm64_mac")]
    Arm64Mac,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
#[allow(missing_docs)]
pub enum BootMode {
    LegacyBios,
    Uefi,
    UefiPreferred,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[allow(missing_docs)]
pub enum EnaSupport {
    #[default]
    Enabled,
    Disabled,
}

// EC2's values: user guide, "AMI billing information fields".
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[allow(missing_docs)]
pub enum PlatformDetails {
    #[default]
    #[serde(rename = "Linux/UNIX")]
    LinuxUnix,
    #[serde(rename = "Red Hat BYOL Linux")]
    RedHatByol,
    #[serde(rename = "Red Hat Enterprise Linux")]
    RedHat,
    #[serde(rename = "Red Hat Enterprise Linux with HA")]
    RedHatHa,
    #[serde(rename = "Red Hat Enterprise Linux with SQL Server Standard and HA")]
    RedHatSqlServerStandardHa,
    #[serde(rename = "Red Hat Enterprise Linux with SQL Server Enterprise and HA")]
    RedHatSqlServerEnterpriseHa,
    #[serde(rename = "Red Hat Enterprise Linux with SQL Server Standard")]
    RedHatSqlServerStandard,
    #[serde(rename = "Red Hat Enterprise Linux with SQL Server Web")]
    RedHatSqlServerWeb,
    #[serde(rename = "Red Hat Enterprise Linux with SQL Server Enterprise")]
    RedHatSqlServerEnterprise,
    #[serde(rename = "SQL Server Enterprise")]
    SqlServerEnterprise,
    #[serde(rename = "SQL Server Standard")]
    SqlServerStandard,
    #[serde(rename = "SQL Server Web")]
    SqlServerWeb,
    #[serde(rename = "SUSE Linux")]
    Suse,
    #[serde(rename = "Ubuntu Pro")]
    UbuntuPro,
    #[serde(rename = "Windows")]
    Windows,
    #[serde(rename = "Windows BYOL")]
    WindowsByol,
    #[serde(rename = "Windows with SQL Server Enterprise")]
    WindowsSqlServerEnterprise,
    #[serde(rename = "Windows with SQL Server Standard")]
    WindowsSqlServerStandard,
    #[serde(rename = "Windows with SQL Server Web")]
    WindowsSqlServerWeb,
}

impl Architecture {
    /// EC2's word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::X86_64 => "x86_64",
            Self::Arm64 => "arm64",
            Self::I386 => "i386",
            Self::X86_64Mac => "x86_64_mac",
            Self::Arm64Mac => "arm64_mac",
        }
    }
}

impl BootMode {
    /// EC2's word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::LegacyBios => "legacy-bios",
            Self::Uefi => "uefi",
            Self::UefiPreferred => "uefi-preferred",
        }
    }
}

impl PlatformDetails {
    /// EC2's words for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::LinuxUnix => "Linux/UNIX",
            Self::RedHatByol => "Red Hat BYOL Linux",
            Self::RedHat => "Red Hat Enterprise Linux",
            Self::RedHatHa => "Red Hat Enterprise Linux with HA",
            Self::RedHatSqlServerStandardHa => {
                "Red Hat Enterprise Linux with SQL Server Standard and HA"
            }
            Self::RedHatSqlServerEnterpriseHa => {
                "Red Hat Enterprise Linux with SQL Server Enterprise and HA"
            }
            Self::RedHatSqlServerStandard => "Red Hat Enterprise Linux with SQL Server Standard",
            Self::RedHatSqlServerWeb => "Red Hat Enterprise Linux with SQL Server Web",
            Self::RedHatSqlServerEnterprise => {
                "Red Hat Enterprise Linux with SQL Server Enterprise"
            }
            Self::SqlServerEnterprise => "SQL Server Enterprise",
            Self::SqlServerStandard => "SQL Server Standard",
            Self::SqlServerWeb => "SQL Server Web",
            Self::Suse => "SUSE Linux",
            Self::UbuntuPro => "Ubuntu Pro",
            Self::Windows => "Windows",
            Self::WindowsByol => "Windows BYOL",
            Self::WindowsSqlServerEnterprise => "Windows with SQL Server Enterprise",
            Self::WindowsSqlServerStandard => "Windows with SQL Server Standard",
            Self::WindowsSqlServerWeb => "Windows with SQL Server Web",
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;

    /// Every value that the schema takes for a type.
    fn values<T: JsonSchema>() -> Vec<Value> {
        let schema = schemars::schema_for!(T);
        schema
            .get("enum")
            .and_then(Value::as_array)
            .unwrap()
            .clone()
    }

    #[test]
    fn the_words_are_those_of_the_schema() {
        fn check<T>(as_str: impl Fn(T) -> &'static str)
        where
            T: JsonSchema + for<'de> Deserialize<'de>,
        {
            for value in values::<T>() {
                let read: T = serde_json::from_value(value.clone()).unwrap();
                assert_eq!(value, as_str(read));
            }
        }
        check(Architecture::as_str);
        check(BootMode::as_str);
        check(PlatformDetails::as_str);
        assert_eq!(values::<PlatformDetails>().len(), 19);
    }
}
