//! The positions of one way of sizing, in as few bits as hold them.

use datafusion::common::Result;
use datafusion::execution::memory_pool::MemoryReservation;
use hindsight_udfs::arguments::ArgumentError;
use hindsight_udfs::decimal::format;
use hindsight_udfs::scoring::position_size::{Sizing, position_size};
use hindsight_udfs::trades::costs::{Costs, Share};
use hindsight_udfs::trades::quick_pnl::{QuickPnl, QuickPosition};
use hindsight_udfs::trades::quick_sale::QuickSale;
use hindsight_udfs::trades::trade_pnl::Position;

use super::control::Control;
use super::exits::SignalExit;

/// The positions of one way of sizing, by score; or a share of each.
#[derive(Debug)]
pub struct Positions {
    pub sizing: Sizing,
    costs: Costs,
    /// × 10^-6.
    pub share: i64,
    pub quick: Quick,
    _memory: Option<MemoryReservation>,
}

/// Positions in few bits.
#[derive(Debug)]
pub enum Quick {
    /// Where one of them needs more bits.
    None,
    /// Whose costs are fixed.
    Fixed(QuickTable<QuickPosition>),
    /// Whose costs depend on what a sale brings.
    Varying(QuickTable<QuickSale>),
}

/// Positions with the same costs, by score.
#[derive(Debug)]
pub struct QuickTable<Q: QuickPnl> {
    pub terms: Q::Terms,
    pub of_scores: Vec<Q>,
}

impl<Q: QuickPnl> QuickTable<Q> {
    /// The positions of the scores that occur; `None` where one does not fit.
    fn new(positions: &Positions, occurs: &[bool]) -> Option<Self> {
        let Positions {
            sizing,
            costs,
            share,
            ..
        } = positions;
        let (terms, share) = (Q::terms(costs)?, Share::new(*share));
        let of_scores = occurs.iter().zip(0..).map(|(occurs, score)| match occurs {
            true => Q::of(&share.of(position_size(score, sizing)?)?, costs, &terms),
            false => Some(Q::default()),
        });
        Some(Self {
            of_scores: of_scores.collect::<Option<_>>()?,
            terms,
        })
    }
}

impl Positions {
    /// The positions of the scores that occur, of all below its length.
    pub fn new(
        sizing: Sizing,
        costs: Costs,
        share: i64,
        occurs: &[bool],
        control: &Control,
    ) -> Result<Self> {
        let each = match costs.are_fixed() {
            true => size_of::<QuickPosition>(),
            false => size_of::<QuickSale>(),
        };
        let mut positions = Self {
            _memory: control.reserve(occurs.len() * each)?,
            sizing,
            costs,
            share,
            quick: Quick::None,
        };
        positions.quick = match costs.are_fixed() {
            true => QuickTable::new(&positions, occurs).map_or(Quick::None, Quick::Fixed),
            false => QuickTable::new(&positions, occurs).map_or(Quick::None, Quick::Varying),
        };
        Ok(positions)
    }

    pub fn fixed(&self) -> Option<&QuickTable<QuickPosition>> {
        match &self.quick {
            Quick::Fixed(positions) => Some(positions),
            _ => None,
        }
    }

    pub fn varying(&self) -> Option<&QuickTable<QuickSale>> {
        match &self.quick {
            Quick::Varying(positions) => Some(positions),
            _ => None,
        }
    }

    /// The net PnL by the fill model and by conservative fills; `None` where one is in doubt.
    pub fn nets(&self, exit: &SignalExit, score: i32) -> Option<(i64, i64)> {
        match &self.quick {
            Quick::None => None,
            Quick::Fixed(table) => self.nets_by(table, exit, score),
            Quick::Varying(table) => self.nets_by(table, exit, score),
        }
    }

    fn nets_by<Q: QuickPnl>(
        &self,
        table: &QuickTable<Q>,
        exit: &SignalExit,
        score: i32,
    ) -> Option<(i64, i64)> {
        let position = table.of_scores.get(usize::try_from(score).ok()?)?;
        let fees = |proceeds| self.fees(score, proceeds);
        let net = position.net_pnl(&table.terms, exit.rate, fees)?;
        let conservative = match exit.conservative_rate == exit.rate {
            true => net,
            false => position.net_pnl(&table.terms, exit.conservative_rate, fees)?,
        };
        Some((net, conservative))
    }

    /// The fees of a sale that brings so much, exactly; all in lamports.
    #[cold]
    pub fn fees(&self, score: i32, proceeds: i64) -> Option<i64> {
        let size = position_size(score.into(), &self.sizing)?;
        let part = Share::new(self.share).of(size)?;
        let fees = part.fees(proceeds.into(), &self.costs)?;
        i64::try_from(fees).ok()
    }

    pub fn too_large(&self) -> ArgumentError {
        ArgumentError {
            argument: "base_position_sol".into(),
            expected: "small enough for the PnL to fit numeric(20,9)".into(),
            found: format(self.sizing.base_position, 9),
        }
    }

    pub fn exact(&self, score: i32) -> Option<Position> {
        let size = position_size(score.into(), &self.sizing)?;
        Position::new(size, self.share, &self.costs)
    }
}
