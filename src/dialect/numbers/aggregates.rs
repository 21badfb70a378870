//! `avg`, `variance` and `stddev`: exact of integers and decimals, with PostgreSQL's digits; of
//! floating point values as it computes them; `avg` of intervals too.

use std::collections::HashSet;
use std::sync::Arc;

use datafusion::arrow::array::{Array, ArrayRef};
use datafusion::arrow::datatypes::{DataType, Field, FieldRef, IntervalUnit};
use datafusion::common::{Result, ScalarValue, plan_err};
use datafusion::logical_expr::function::{AccumulatorArgs, StateFieldsArgs};
use datafusion::logical_expr::{
    Accumulator, AggregateUDF, AggregateUDFImpl, Signature, Volatility,
};

use super::{moments, types};

/// What is computed of the values.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Statistic {
    Average,
    Deviation { is_sample: bool, is_root: bool },
}

/// The aggregates of this file.
pub fn all() -> Vec<AggregateUDF> {
    let deviation = |is_sample, is_root| Statistic::Deviation { is_sample, is_root };
    [
        ("avg", &["mean"][..], Statistic::Average),
        ("stddev", &["stddev_samp"], deviation(true, true)),
        ("stddev_pop", &[], deviation(false, true)),
        (
            "variance",
            &["var", "var_samp", "var_sample"],
            deviation(true, false),
        ),
        ("var_pop", &["var_population"], deviation(false, false)),
    ]
    .into_iter()
    .map(|(name, aliases, statistic)| {
        AggregateUDF::from(Moments {
            name,
            aliases: aliases.iter().map(|alias| (*alias).to_owned()).collect(),
            statistic,
            signature: Signature::user_defined(Volatility::Immutable),
        })
    })
    .collect()
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct Moments {
    name: &'static str,
    aliases: Vec<String>,
    statistic: Statistic,
    signature: Signature,
}

impl AggregateUDFImpl for Moments {
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
        let [of] = of else {
            return plan_err!(
                "No function matches {} of {} arguments",
                self.name,
                of.len()
            );
        };
        let interval = DataType::Interval(IntervalUnit::MonthDayNano);
        Ok(vec![match types::plain(of) {
            DataType::Null => DataType::Float64,
            DataType::Float32 => DataType::Float64,
            number if types::is_number(&number) => number,
            DataType::Interval(_) if self.statistic == Statistic::Average => interval,
            duration @ DataType::Duration(_) if self.statistic == Statistic::Average => duration,
            other => return plan_err!("No function matches {}({other})", self.name),
        }])
    }

    fn return_type(&self, of: &[DataType]) -> Result<DataType> {
        Ok(match of.first() {
            Some(DataType::Float64 | DataType::Float32 | DataType::Null) | None => {
                DataType::Float64
            }
            Some(DataType::Interval(_) | DataType::Duration(_)) => {
                DataType::Interval(IntervalUnit::MonthDayNano)
            }
            Some(_) => types::NUMERIC,
        })
    }

    fn accumulator(&self, args: AccumulatorArgs) -> Result<Box<dyn Accumulator>> {
        let of = input(args.expr_fields);
        let inner = moments::accumulator(self.statistic, &of, false)?;
        Ok(match args.is_distinct {
            true => Box::new(Distinct {
                inner,
                of,
                seen: HashSet::new(),
            }),
            false => inner,
        })
    }

    fn create_sliding_accumulator(&self, args: AccumulatorArgs) -> Result<Box<dyn Accumulator>> {
        moments::accumulator(self.statistic, &input(args.expr_fields), true)
    }

    fn state_fields(&self, args: StateFieldsArgs) -> Result<Vec<FieldRef>> {
        if args.is_distinct {
            let item = Field::new_list_field(input(args.input_fields), true);
            let list = DataType::List(Arc::new(item));
            return Ok(vec![Arc::new(Field::new("distinct", list, true))]);
        }
        let fields = moments::STATE
            .iter()
            .map(|(name, of)| Field::new(*name, of.clone(), true));
        Ok(fields.map(Arc::new).collect())
    }
}

fn input(fields: &[FieldRef]) -> DataType {
    fields
        .first()
        .map_or(DataType::Float64, |field| field.data_type().clone())
}

/// Each value once.
#[derive(Debug)]
struct Distinct {
    inner: Box<dyn Accumulator>,
    of: DataType,
    seen: HashSet<ScalarValue>,
}

impl Accumulator for Distinct {
    fn update_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        let Some(values) = values.first() else {
            return Ok(());
        };
        for row in 0..values.len() {
            if values.is_null(row) {
                continue;
            }
            let value = ScalarValue::try_from_array(values, row)?;
            if self.seen.insert(value.clone()) {
                self.inner.update_batch(&[value.to_array()?])?;
            }
        }
        Ok(())
    }

    fn merge_batch(&mut self, states: &[ArrayRef]) -> Result<()> {
        let Some(lists) = states.first() else {
            return Ok(());
        };
        for row in 0..lists.len() {
            if let ScalarValue::List(list) = ScalarValue::try_from_array(lists, row)? {
                self.update_batch(&[Arc::clone(list.values())])?;
            }
        }
        Ok(())
    }

    fn state(&mut self) -> Result<Vec<ScalarValue>> {
        let values: Vec<ScalarValue> = self.seen.iter().cloned().collect();
        let list = ScalarValue::new_list_nullable(&values, &self.of);
        Ok(vec![ScalarValue::List(list)])
    }

    fn evaluate(&mut self) -> Result<ScalarValue> {
        self.inner.evaluate()
    }

    fn size(&self) -> usize {
        size_of_val(self) + self.seen.iter().map(ScalarValue::size).sum::<usize>() * 2
    }
}
