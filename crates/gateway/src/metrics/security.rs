//! Changes that whoever watches over the installation wants to hear of, asked when somebody
//! looks.

use std::fmt;
use std::sync::Arc;

use aegis_ledger::journal::Journal;
use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeLabelSet, EncodeMetric};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::ConstCounter;

/// What was committed to this journal.
pub struct Changed(pub Arc<Journal>);

impl fmt::Debug for Changed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Changed")
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ByChange {
    change: &'static str,
}

impl Collector for Changed {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let help = "Committed changes of policies, grants, keys, secrets, tenants and freezes";
        let mut changes = encoder.encode_descriptor("security_changes", help, None, MetricType::Counter)?;
        for (change, count) in self.0.security_changes() {
            ConstCounter::new(count).encode(changes.encode_family(&ByChange { change: change.as_str() })?)?;
        }
        Ok(())
    }
}
