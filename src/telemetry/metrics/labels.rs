//! What may stand in labels: words of closed lists only.

use prometheus_client::{
    encoding::EncodeLabelSet,
    metrics::{
        counter::Counter,
        family::{Family, MetricConstructor},
    },
};
use std::hash::Hash;

use crate::{cache::Kind, event::ChannelKind};

/// Labels a count with a reason.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct ReasonLabels {
    pub(super) reason: &'static str,
}

/// Labels a count with how it went.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct OutcomeLabels {
    pub(super) outcome: &'static str,
}

/// Labels a state with the source it belongs to.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct SourceLabels {
    pub(super) source: &'static str,
}

/// Labels a change with the source and the state it went to.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct StateLabels {
    pub(super) source: &'static str,
    pub(super) state: &'static str,
}

/// Labels a count of bytes with where they went.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct DirectionLabels {
    pub(super) direction: &'static str,
}

/// Labels what belongs to a channel with the kind of it.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct KindLabels {
    pub(super) kind: &'static str,
}

/// Labels what a cache does with the kind of value.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct CacheLabels {
    pub(super) cache: &'static str,
}

/// Labels a duration with the work it went into, and how that ended.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct StageLabels {
    pub(super) stage: &'static str,
    pub(super) outcome: &'static str,
}

/// Labels this program with its version.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct VersionLabels {
    pub(super) version: &'static str,
}

impl CacheLabels {
    pub(super) const fn of(kind: Kind) -> Self {
        Self { cache: kind.as_str() }
    }
}

impl KindLabels {
    /// Every label there is.
    pub(super) const ALL: [Self; 3] =
        [Self { kind: "doc_progress" }, Self { kind: "chat" }, Self { kind: "other" }];

    /// Labels a kind; the operator's own kinds share one.
    pub(super) const fn of(kind: &ChannelKind) -> Self {
        match kind {
            ChannelKind::Documents => Self { kind: "doc_progress" },
            ChannelKind::Chat => Self { kind: "chat" },
            ChannelKind::Other(_) => Self { kind: "other" },
        }
    }
}

/// Shows a label before anything was counted under it.
pub(super) fn show<L, M, C>(family: &Family<L, M, C>, labels: &L)
where
    L: Clone + Hash + Eq,
    C: MetricConstructor<M>,
{
    drop(family.get_or_create(labels));
}

pub(super) fn show_reasons(family: &Family<ReasonLabels, Counter>, reasons: &[&'static str]) {
    reasons.iter().for_each(|reason| show(family, &ReasonLabels { reason }));
}

pub(super) fn show_outcomes(family: &Family<OutcomeLabels, Counter>, outcomes: &[&'static str]) {
    outcomes.iter().for_each(|outcome| show(family, &OutcomeLabels { outcome }));
}

pub(super) fn count_reason(family: &Family<ReasonLabels, Counter>, reason: &'static str) {
    family.get_or_create(&ReasonLabels { reason }).inc();
}

pub(super) fn count_outcome(family: &Family<OutcomeLabels, Counter>, outcome: &'static str) {
    family.get_or_create(&OutcomeLabels { outcome }).inc();
}
