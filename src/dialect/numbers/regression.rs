//! `corr`, `covar_pop`, `covar_samp` and the `regr_…` aggregates, by the sums that PostgreSQL keeps: a
//! value computed of the same rows in the same order is the same to the last bit.

use std::sync::Arc;

use datafusion::arrow::array::{Array, ArrayRef, AsArray};
use datafusion::arrow::datatypes::{DataType, Field, FieldRef, Float64Type};
use datafusion::common::{Result, ScalarValue, internal_err, plan_err};
use datafusion::logical_expr::function::{AccumulatorArgs, StateFieldsArgs};
use datafusion::logical_expr::{
    Accumulator, AggregateUDF, AggregateUDFImpl, Signature, Volatility,
};

use super::types;

/// What is computed of the pairs, of which the first value is y and the second x.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Measure {
    Correlation,
    PopulationCovariance,
    SampleCovariance,
    Slope,
    Intercept,
    Determination,
    Count,
    MeanOfX,
    MeanOfY,
    SquaresOfX,
    SquaresOfY,
    Products,
}

/// The aggregates of this file.
pub fn all() -> Vec<AggregateUDF> {
    use Measure::*;
    [
        ("corr", &[][..], Correlation),
        ("covar_pop", &[], PopulationCovariance),
        ("covar_samp", &["covar"], SampleCovariance),
        ("regr_slope", &[], Slope),
        ("regr_intercept", &[], Intercept),
        ("regr_r2", &[], Determination),
        ("regr_count", &[], Count),
        ("regr_avgx", &[], MeanOfX),
        ("regr_avgy", &[], MeanOfY),
        ("regr_sxx", &[], SquaresOfX),
        ("regr_syy", &[], SquaresOfY),
        ("regr_sxy", &[], Products),
    ]
    .into_iter()
    .map(|(name, aliases, measure)| {
        AggregateUDF::from(Regression {
            name,
            aliases: aliases
                .iter()
                .map(|alias: &&str| (*alias).to_owned())
                .collect(),
            measure,
            signature: Signature::user_defined(Volatility::Immutable),
        })
    })
    .collect()
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct Regression {
    name: &'static str,
    aliases: Vec<String>,
    measure: Measure,
    signature: Signature,
}

impl AggregateUDFImpl for Regression {
    fn name(&self) -> &str {
        self.name
    }

    fn aliases(&self) -> &[String] {
        &self.aliases
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn coerce_types(&self, of: &[DataType]) -> Result<Vec<DataType>> {
        let are_numbers = of
            .iter()
            .all(|of| types::is_number(&types::plain(of)) || *of == DataType::Null);
        match of.len() == 2 && are_numbers {
            true => Ok(vec![DataType::Float64; 2]),
            false => {
                let of: Vec<String> = of.iter().map(ToString::to_string).collect();
                plan_err!("No function matches {}({})", self.name, of.join(", "))
            }
        }
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(match self.measure {
            Measure::Count => DataType::Int64,
            _ => DataType::Float64,
        })
    }

    fn accumulator(&self, args: AccumulatorArgs) -> Result<Box<dyn Accumulator>> {
        if args.is_distinct {
            return plan_err!("DISTINCT is not supported for {}", self.name);
        }
        Ok(Box::new(Pairs {
            measure: self.measure,
            sums: Sums::default(),
        }))
    }

    fn state_fields(&self, _: StateFieldsArgs) -> Result<Vec<FieldRef>> {
        let names = ["n", "sx", "sxx", "sy", "syy", "sxy"];
        let fields = names.map(|name| Arc::new(Field::new(name, DataType::Float64, true)));
        Ok(fields.to_vec())
    }
}

/// How many pairs there are, their sums, and the sums of squares and products of what is between
/// them and their means.
#[derive(Debug, Default, Clone, Copy)]
struct Sums {
    n: f64,
    sx: f64,
    sxx: f64,
    sy: f64,
    syy: f64,
    sxy: f64,
}

impl Sums {
    fn add(&mut self, y: f64, x: f64) {
        let before = self.n;
        self.n += 1.0;
        self.sx += x;
        self.sy += y;
        if before > 0.0 {
            let off_x = x * self.n - self.sx;
            let off_y = y * self.n - self.sy;
            let scale = 1.0 / (self.n * before);
            self.sxx += off_x * off_x * scale;
            self.syy += off_y * off_y * scale;
            self.sxy += off_x * off_y * scale;
        }
    }

    fn merge(&mut self, other: Self) {
        if self.n == 0.0 {
            *self = other;
        } else if other.n > 0.0 {
            let n = self.n + other.n;
            let off_x = self.sx / self.n - other.sx / other.n;
            let off_y = self.sy / self.n - other.sy / other.n;
            let scale = self.n * other.n / n;
            self.sxx += other.sxx + scale * off_x * off_x;
            self.syy += other.syy + scale * off_y * off_y;
            self.sxy += other.sxy + scale * off_x * off_y;
            self.sx += other.sx;
            self.sy += other.sy;
            self.n = n;
        }
    }

    fn measure(&self, measure: Measure) -> Option<f64> {
        let Self {
            n,
            sx,
            sxx,
            sy,
            syy,
            sxy,
        } = *self;
        let any = n >= 1.0;
        match measure {
            Measure::Count => Some(n),
            Measure::Correlation => {
                (any && sxx != 0.0 && syy != 0.0).then(|| sxy / (sxx * syy).sqrt())
            }
            Measure::PopulationCovariance => any.then(|| sxy / n),
            Measure::SampleCovariance => (n >= 2.0).then(|| sxy / (n - 1.0)),
            Measure::Slope => (any && sxx != 0.0).then(|| sxy / sxx),
            Measure::Intercept => (any && sxx != 0.0).then(|| (sy - sx * sxy / sxx) / n),
            Measure::Determination if !any || sxx == 0.0 => None,
            Measure::Determination if syy == 0.0 => Some(1.0),
            Measure::Determination => Some(sxy * sxy / (sxx * syy)),
            Measure::MeanOfX => any.then(|| sx / n),
            Measure::MeanOfY => any.then(|| sy / n),
            Measure::SquaresOfX => any.then_some(sxx),
            Measure::SquaresOfY => any.then_some(syy),
            Measure::Products => any.then_some(sxy),
        }
    }
}

#[derive(Debug)]
struct Pairs {
    measure: Measure,
    sums: Sums,
}

impl Accumulator for Pairs {
    fn update_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        let [y, x] = values else {
            return internal_err!("pairs have two values");
        };
        let (y, x) = (
            y.as_primitive::<Float64Type>(),
            x.as_primitive::<Float64Type>(),
        );
        for (y, x) in y.iter().zip(x.iter()) {
            if let (Some(y), Some(x)) = (y, x) {
                self.sums.add(y, x);
            }
        }
        Ok(())
    }

    fn merge_batch(&mut self, states: &[ArrayRef]) -> Result<()> {
        let [n, sx, sxx, sy, syy, sxy] = states else {
            return internal_err!("a state has six parts");
        };
        let part = |array: &ArrayRef, row| array.as_primitive::<Float64Type>().value(row);
        for row in 0..n.len() {
            self.sums.merge(Sums {
                n: part(n, row),
                sx: part(sx, row),
                sxx: part(sxx, row),
                sy: part(sy, row),
                syy: part(syy, row),
                sxy: part(sxy, row),
            });
        }
        Ok(())
    }

    fn state(&mut self) -> Result<Vec<ScalarValue>> {
        let Sums {
            n,
            sx,
            sxx,
            sy,
            syy,
            sxy,
        } = self.sums;
        Ok([n, sx, sxx, sy, syy, sxy].map(ScalarValue::from).to_vec())
    }

    fn evaluate(&mut self) -> Result<ScalarValue> {
        let value = self.sums.measure(self.measure);
        Ok(match self.measure {
            Measure::Count => ScalarValue::Int64(value.map(|count| count as i64)),
            _ => ScalarValue::Float64(value),
        })
    }

    fn size(&self) -> usize {
        size_of_val(self)
    }
}
