//! `corr`, `covar_pop`, `covar_samp` and `regr_…`: how two columns go together.
//!
//! Input: a dependent and an independent number, taken as doubles. Output: a double; `regr_count` a
//! whole number. Unit: that of the formula. Nulls: pairs with a null are left out; null where the
//! formula is undefined. Errors: none. Order: the sums are taken as rows arrive, in PostgreSQL's way
//! (Youngs and Cramer), so that even what is lost in the last digits is the same. Source:
//! PostgreSQL's aggregates of the names.

use std::sync::Arc;

use datafusion::arrow::array::{Array, ArrayRef, AsArray};
use datafusion::arrow::datatypes::{DataType, Field, FieldRef, Float64Type};
use datafusion::common::{Result, ScalarValue, exec_err};
use datafusion::logical_expr::function::{AccumulatorArgs, StateFieldsArgs};
use datafusion::logical_expr::{
    Accumulator, AggregateUDF, AggregateUDFImpl, Documentation, Signature, Volatility,
};

/// What a function makes of the sums; nothing where it is not defined.
type Formula = fn(&Sums) -> Option<f64>;

/// The functions by their names, each of these sums.
const FORMULAS: [(&str, Formula); 12] = [
    ("corr", |s| {
        (s.sxx > 0.0 && s.syy > 0.0).then(|| s.sxy / (s.sxx * s.syy).sqrt())
    }),
    ("covar_pop", |s| (s.n > 0.0).then(|| s.sxy / s.n)),
    ("covar_samp", |s| (s.n > 1.0).then(|| s.sxy / (s.n - 1.0))),
    ("regr_avgx", |s| (s.n > 0.0).then(|| s.sx / s.n)),
    ("regr_avgy", |s| (s.n > 0.0).then(|| s.sy / s.n)),
    ("regr_count", |s| Some(s.n)),
    ("regr_intercept", |s| {
        (s.sxx > 0.0).then(|| (s.sy - s.sx * s.sxy / s.sxx) / s.n)
    }),
    ("regr_r2", |s| match s.syy {
        _ if s.n < 1.0 || s.sxx == 0.0 => None,
        0.0 => Some(1.0),
        syy => Some((s.sxy * s.sxy) / (s.sxx * syy)),
    }),
    ("regr_slope", |s| (s.sxx > 0.0).then(|| s.sxy / s.sxx)),
    ("regr_sxx", |s| (s.n > 0.0).then_some(s.sxx)),
    ("regr_sxy", |s| (s.n > 0.0).then_some(s.sxy)),
    ("regr_syy", |s| (s.n > 0.0).then_some(s.syy)),
];

/// The names of the functions.
pub fn names() -> impl Iterator<Item = &'static str> {
    FORMULAS.iter().map(|(name, _)| *name)
}

/// One of the functions.
#[derive(Debug, PartialEq, Eq, Hash)]
pub struct Regression {
    /// DataFusion's own, which frames that slide are left to.
    inner: Arc<AggregateUDF>,
    signature: Signature,
}

impl Regression {
    #[expect(clippy::new_ret_no_self, reason = "what is made of it is what is used")]
    pub fn new(inner: Arc<AggregateUDF>) -> AggregateUDF {
        let taken = vec![DataType::Float64, DataType::Float64];
        AggregateUDF::new_from_impl(Self {
            inner,
            signature: Signature::exact(taken, Volatility::Immutable),
        })
    }
}

impl AggregateUDFImpl for Regression {
    fn name(&self) -> &str {
        self.inner.name()
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(match self.name() {
            "regr_count" => DataType::Int64,
            _ => DataType::Float64,
        })
    }

    fn accumulator(&self, args: AccumulatorArgs<'_>) -> Result<Box<dyn Accumulator>> {
        if args.is_distinct {
            return exec_err!("{} of distinct pairs is not supported", self.name());
        }
        let formula = FORMULAS.iter().find(|(name, _)| *name == self.name());
        let Some((_, formula)) = formula else {
            return exec_err!("there is no {}", self.name());
        };
        Ok(Box::new(Pairs {
            sums: Sums::default(),
            formula: *formula,
            is_count: self.name() == "regr_count",
        }))
    }

    fn create_sliding_accumulator(
        &self,
        args: AccumulatorArgs<'_>,
    ) -> Result<Box<dyn Accumulator>> {
        self.inner.create_sliding_accumulator(args)
    }

    fn state_fields(&self, args: StateFieldsArgs<'_>) -> Result<Vec<FieldRef>> {
        let fields = ["n", "sx", "sxx", "sy", "syy", "sxy"].map(|name| -> FieldRef {
            let name = format!("{}[{name}]", args.name);
            Arc::new(Field::new(name, DataType::Float64, true))
        });
        Ok(fields.into())
    }

    fn documentation(&self) -> Option<&Documentation> {
        self.inner.documentation()
    }
}

/// Count and sums of pairs; those of squares and products are of distances from the mean.
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
            let (dx, dy) = (x * self.n - self.sx, y * self.n - self.sy);
            let scale = 1.0 / (self.n * before);
            self.sxx += dx * dx * scale;
            self.syy += dy * dy * scale;
            self.sxy += dx * dy * scale;
        } else if !x.is_finite() || !y.is_finite() {
            self.sxx = f64::NAN;
            self.syy = f64::NAN;
            self.sxy = f64::NAN;
        }
    }

    fn merge(&mut self, other: &Self) {
        if other.n == 0.0 {
            return;
        }
        if self.n == 0.0 {
            *self = *other;
            return;
        }
        let n = self.n + other.n;
        let dx = self.sx / self.n - other.sx / other.n;
        let dy = self.sy / self.n - other.sy / other.n;
        let weight = self.n * other.n;
        self.sxx += other.sxx + weight * dx * dx / n;
        self.syy += other.syy + weight * dy * dy / n;
        self.sxy += other.sxy + weight * dx * dy / n;
        self.sx += other.sx;
        self.sy += other.sy;
        self.n = n;
    }
}

#[derive(Debug)]
struct Pairs {
    sums: Sums,
    formula: fn(&Sums) -> Option<f64>,
    is_count: bool,
}

impl Accumulator for Pairs {
    fn update_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        let [y, x] = values else {
            return exec_err!("two columns are expected");
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

    fn evaluate(&mut self) -> Result<ScalarValue> {
        let value = (self.formula)(&self.sums);
        Ok(match self.is_count {
            true => ScalarValue::Int64(value.map(|count| count as i64)),
            false => ScalarValue::Float64(value),
        })
    }

    fn size(&self) -> usize {
        size_of_val(self)
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
        let parts = [n, sx, sxx, sy, syy, sxy].into_iter();
        Ok(parts.map(|part| ScalarValue::Float64(Some(part))).collect())
    }

    fn merge_batch(&mut self, states: &[ArrayRef]) -> Result<()> {
        let rows = states.first().map_or(0, |column| column.len());
        for row in 0..rows {
            let part = |position: usize| {
                let column = states.get(position);
                column.map_or(0.0, |column| {
                    column.as_primitive::<Float64Type>().value(row)
                })
            };
            self.sums.merge(&Sums {
                n: part(0),
                sx: part(1),
                sxx: part(2),
                sy: part(3),
                syy: part(4),
                sxy: part(5),
            });
        }
        Ok(())
    }
}
