//! What left boxes for the world, asked when somebody looks.

use std::fmt;
use std::sync::Arc;

use aegis_dispatch::Outward;
use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeLabelSet, EncodeMetric};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::registry::Unit;

/// What left boxes.
pub struct Outwards(pub Arc<Outward>);

impl fmt::Debug for Outwards {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Outwards")
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ByReason {
    reason: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ByDirection {
    direction: &'static str,
}

impl Collector for Outwards {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let counted = self.0.counted();
        let plain = [
            ("egress_begun", "Connections and requests that were let out of boxes", counted.begun),
            ("egress_observed", "Those let out only because their session is observed", counted.observed),
            ("egress_failed", "Those that did not reach their host, or were broken off by it", counted.failed),
            ("egress_revoked", "Those ended because a rule or a grant changed", counted.revoked),
        ];
        for (name, help, value) in plain {
            let counter = encoder.encode_descriptor(name, help, None, MetricType::Counter)?;
            ConstCounter::new(value).encode(counter)?;
        }
        let help = "Connections, requests and names that were refused, by reason";
        let mut refused = encoder.encode_descriptor("egress_refused", help, None, MetricType::Counter)?;
        for (reason, count) in counted.refused {
            ConstCounter::new(count).encode(refused.encode_family(&ByReason { reason })?)?;
        }
        let help = "What was moved out of boxes and back in";
        let mut moved = encoder.encode_descriptor("egress", help, Some(&Unit::Bytes), MetricType::Counter)?;
        for (direction, bytes) in [("out", counted.bytes_out), ("in", counted.bytes_in)] {
            ConstCounter::new(bytes).encode(moved.encode_family(&ByDirection { direction })?)?;
        }
        Ok(())
    }
}
