//! What a sale costs.

use num_traits::Zero;

use super::number::{Number, parse, rounded, whole};

/// What trades are charged; percentages as 1 for 1 %.
#[derive(Debug, Clone, Default)]
pub struct Costs {
    pub slippage_percent: Number,
    pub exit_slippage_percent: Number,
    pub platform_fee_percent: Number,
    pub gas_cost_sol: Number,
    pub priority_fee_sol: Number,
    pub failed_transaction_percent: Number,
    /// `None`: trades move no price.
    pub pool_sol: Option<Number>,
}

/// What one sale costs, in SOL.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Paid {
    pub slippage: Number,
    pub gas: Number,
    pub fees: Number,
    pub impact: Number,
}

impl Costs {
    /// Sets a cost by its name; whether there is such a cost.
    pub fn set(&mut self, name: &str, value: &str) -> bool {
        let number = || parse(value).unwrap_or_else(|| panic!("{name}: {value} is no number"));
        match name {
            "slippage_percent" => self.slippage_percent = number(),
            "exit_slippage_percent" => self.exit_slippage_percent = number(),
            "platform_fee_percent" => self.platform_fee_percent = number(),
            "gas_cost_sol" => self.gas_cost_sol = number(),
            "priority_fee_sol" => self.priority_fee_sol = number(),
            "failed_transaction_percent" => self.failed_transaction_percent = number(),
            "pool_sol" => self.pool_sol = Some(number()),
            _ => return false,
        }
        true
    }

    /// What the sale of a part of a position costs, between these prices.
    pub fn of_sale(&self, size: &Number, part: &Number, entry: &Number, exit: &Number) -> Paid {
        let hundred = whole(100);
        // `proceeds = part × exit/entry`, rounded to 9.
        let proceeds = rounded(&(part * exit / entry), 9);
        // `slippage = part × slippage_percent/100 + proceeds × exit_slippage_percent/100`, rounded to 4.
        let slippage = rounded(
            &(part * &self.slippage_percent / &hundred
                + &proceeds * &self.exit_slippage_percent / &hundred),
            4,
        );
        // `fees = (part + proceeds) × platform_fee_percent/100 + 2 × priority_fee_sol × 100/(100 −
        // failed_transaction_percent)`, rounded to 9.
        let of_platform = (part + &proceeds) * &self.platform_fee_percent / &hundred;
        let sent = &hundred / (&hundred - &self.failed_transaction_percent);
        let fees = rounded(&(of_platform + whole(2) * &self.priority_fee_sol * sent), 9);
        // `part × size/(pool + size) + proceeds²/(pool + proceeds)`, of part and size rounded to 9, the
        // sum rounded to 9.
        let impact = match &self.pool_sol {
            None => Number::zero(),
            Some(pool) => {
                let (part, size) = (rounded(part, 9), rounded(size, 9));
                let of_buy = &part * &size / (pool + &size);
                let of_sale = &proceeds * &proceeds / (pool + &proceeds);
                rounded(&(of_buy + of_sale), 9)
            }
        };
        Paid {
            slippage,
            gas: self.gas_cost_sol.clone(),
            fees,
            impact,
        }
    }
}
