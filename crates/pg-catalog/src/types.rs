//! PostgreSQL's types by their oid: names, categories, arrays and what casts to what unasked.
//!
//! The rows are `facts/pg_type.tsv`, the same that `pg_type` shows.

use std::collections::HashMap;
use std::sync::{Arc, LazyLock};

/// The oids that the interpreter knows by name.
pub mod oid {
    pub const BOOL: u32 = 16;
    pub const BYTEA: u32 = 17;
    pub const CHAR: u32 = 18;
    pub const NAME: u32 = 19;
    pub const INT8: u32 = 20;
    pub const INT2: u32 = 21;
    pub const INT2VECTOR: u32 = 22;
    pub const INT4: u32 = 23;
    pub const REGPROC: u32 = 24;
    pub const TEXT: u32 = 25;
    pub const OID: u32 = 26;
    pub const TID: u32 = 27;
    pub const XID: u32 = 28;
    pub const CID: u32 = 29;
    pub const OIDVECTOR: u32 = 30;
    pub const JSON: u32 = 114;
    pub const FLOAT4: u32 = 700;
    pub const FLOAT8: u32 = 701;
    pub const UNKNOWN: u32 = 705;
    pub const BPCHAR: u32 = 1042;
    pub const VARCHAR: u32 = 1043;
    pub const DATE: u32 = 1082;
    pub const TIME: u32 = 1083;
    pub const TIMESTAMP: u32 = 1114;
    pub const TIMESTAMPTZ: u32 = 1184;
    pub const INTERVAL: u32 = 1186;
    pub const NUMERIC: u32 = 1700;
    pub const REGPROCEDURE: u32 = 2202;
    pub const REGOPER: u32 = 2203;
    pub const REGOPERATOR: u32 = 2204;
    pub const REGCLASS: u32 = 2205;
    pub const REGTYPE: u32 = 2206;
    pub const RECORD: u32 = 2249;
    pub const RECORDS: u32 = 2287;
    pub const CSTRING: u32 = 2275;
    pub const ANY: u32 = 2276;
    pub const ANYARRAY: u32 = 2277;
    pub const VOID: u32 = 2278;
    pub const ANYELEMENT: u32 = 2283;
    pub const UUID: u32 = 2950;
    pub const REGCONFIG: u32 = 3734;
    pub const JSONB: u32 = 3802;
    pub const REGNAMESPACE: u32 = 4089;
    pub const REGROLE: u32 = 4096;
    pub const XID8: u32 = 5069;
}

/// The type of an expression or column.
#[derive(Clone, Debug)]
pub struct Type {
    pub oid: u32,
    /// PostgreSQL's modifier: precision, scale or length; -1 without.
    pub typmod: i32,
    /// The fields of a row, where they are known.
    pub fields: Option<Arc<[(String, Type)]>>,
}

impl Type {
    pub const fn of(oid: u32) -> Self {
        Self {
            oid,
            typmod: -1,
            fields: None,
        }
    }

    pub const fn with_typmod(oid: u32, typmod: i32) -> Self {
        Self {
            oid,
            typmod,
            fields: None,
        }
    }

    pub fn row(fields: Vec<(String, Type)>) -> Self {
        Self {
            oid: oid::RECORD,
            typmod: -1,
            fields: Some(fields.into()),
        }
    }

    pub fn is_unknown(&self) -> bool {
        self.oid == oid::UNKNOWN
    }
}

/// What `pg_type` says of a type, as far as the interpreter asks.
#[derive(Debug)]
pub struct TypeFact {
    pub oid: u32,
    pub name: String,
    pub namespace: u32,
    pub length: i16,
    pub by_value: bool,
    pub kind: char,
    pub category: char,
    pub delimiter: char,
    pub element: u32,
    pub array: u32,
    pub alignment: char,
    pub storage: char,
    pub base: u32,
    pub collation: u32,
}

/// The rows of `pg_type`.
pub const PG_TYPE: &str = include_str!("facts/pg_type.tsv");

struct Facts {
    all: Vec<TypeFact>,
    by_oid: HashMap<u32, usize>,
    by_name: HashMap<String, usize>,
}

static FACTS: LazyLock<Facts> = LazyLock::new(|| {
    let all: Vec<TypeFact> = PG_TYPE.lines().filter_map(fact).collect();
    let by_oid = all.iter().enumerate().map(|(i, t)| (t.oid, i)).collect();
    let by_name = all.iter().enumerate().map(|(i, t)| (t.name.clone(), i));
    let by_name = by_name.collect();
    Facts {
        all,
        by_oid,
        by_name,
    }
});

fn fact(line: &str) -> Option<TypeFact> {
    let cells: Vec<&str> = line.split('\t').collect();
    let cell = |position: usize| cells.get(position).copied();
    let letter = |position: usize| cell(position)?.chars().next();
    Some(TypeFact {
        oid: cell(0)?.parse().ok()?,
        name: cell(1)?.to_owned(),
        namespace: cell(2)?.parse().ok()?,
        length: cell(4)?.parse().ok()?,
        by_value: cell(5)? == "t",
        kind: letter(6)?,
        category: letter(7)?,
        delimiter: letter(10)?,
        element: cell(13)?.parse().ok()?,
        array: cell(14)?.parse().ok()?,
        alignment: letter(22)?,
        storage: letter(23)?,
        base: cell(25)?.parse().ok()?,
        collation: cell(28)?.parse().ok()?,
    })
}

/// Every type.
pub fn all() -> &'static [TypeFact] {
    &FACTS.all
}

/// The facts of a type.
pub fn get(oid: u32) -> Option<&'static TypeFact> {
    FACTS.by_oid.get(&oid).and_then(|i| FACTS.all.get(*i))
}

/// A type by its name in `pg_type`, or by the name the SQL standard gives it.
pub fn by_name(name: &str) -> Option<u32> {
    let name = match name {
        "boolean" => "bool",
        "smallint" => "int2",
        "int" | "integer" => "int4",
        "bigint" => "int8",
        "real" => "float4",
        "double precision" | "float" | "double" => "float8",
        "decimal" | "dec" => "numeric",
        "character varying" | "string" => "varchar",
        "character" => "bpchar",
        "timestamp without time zone" => "timestamp",
        "timestamp with time zone" => "timestamptz",
        "time without time zone" => "time",
        "time with time zone" => "timetz",
        "bit varying" => "varbit",
        name => name,
    };
    FACTS
        .by_name
        .get(name)
        .and_then(|i| FACTS.all.get(*i))
        .map(|fact| fact.oid)
}

/// A domain's base type, any other type itself.
pub fn base(oid: u32) -> u32 {
    match get(oid) {
        Some(fact) if fact.kind == 'd' => fact.base,
        _ => oid,
    }
}

/// The type of an array's elements; the vectors of `pg_index` are arrays too.
pub fn element(oid: u32) -> Option<u32> {
    match oid {
        oid::INT2VECTOR => Some(oid::INT2),
        oid::OIDVECTOR => Some(oid::OID),
        oid::ANYARRAY => Some(oid::ANYELEMENT),
        _ => get(oid)
            .filter(|fact| (fact.category == 'A' || fact.oid == oid::RECORDS) && fact.element != 0)
            .map(|fact| fact.element),
    }
}

/// The type of arrays of this one.
pub fn array(oid: u32) -> Option<u32> {
    match oid {
        oid::UNKNOWN => array(oid::TEXT),
        _ => get(oid)
            .map(|fact| fact.array)
            .filter(|array| *array != 0)
            .or_else(|| element(oid).map(|_| oid)),
    }
}

pub fn is_text(oid: u32) -> bool {
    matches!(
        oid,
        oid::TEXT | oid::NAME | oid::VARCHAR | oid::BPCHAR | oid::CHAR | oid::CSTRING
    )
}

/// `oid` and the types that are oids with a name.
pub fn is_oid(oid: u32) -> bool {
    oid == oid::OID || is_reg(oid)
}

pub fn is_reg(oid: u32) -> bool {
    matches!(
        oid,
        oid::REGPROC
            | oid::REGPROCEDURE
            | oid::REGOPER
            | oid::REGOPERATOR
            | oid::REGCLASS
            | oid::REGTYPE
            | oid::REGCONFIG
            | oid::REGNAMESPACE
            | oid::REGROLE
            | 3769
            | 4191
    )
}

pub fn is_integer(oid: u32) -> bool {
    matches!(oid, oid::INT2 | oid::INT4 | oid::INT8)
}

/// Where a number type stands: each is turned into those above it.
pub fn number_rank(oid: u32) -> Option<u8> {
    Some(match oid {
        oid::INT2 => 1,
        oid::INT4 => 2,
        oid::INT8 => 3,
        oid::NUMERIC => 4,
        oid::FLOAT4 => 5,
        oid::FLOAT8 => 6,
        _ => return None,
    })
}

fn time_rank(oid: u32) -> Option<u8> {
    Some(match oid {
        oid::DATE => 1,
        oid::TIMESTAMP => 2,
        oid::TIMESTAMPTZ => 3,
        _ => return None,
    })
}

/// How far a value of one type is from another: 0 the same, more the further, none where only a
/// cast that is written leads.
pub fn distance(from: u32, to: u32) -> Option<u32> {
    let (from, to) = (base(from), base(to));
    if from == to {
        return Some(0);
    }
    if to == oid::ANY {
        return Some(3);
    }
    if from == oid::UNKNOWN {
        return Some(if to == oid::TEXT { 1 } else { 2 });
    }
    if to == oid::ANYELEMENT {
        return Some(3);
    }
    if to == oid::ANYARRAY {
        return element(from).map(|_| 2);
    }
    if let (Some(a), Some(b)) = (number_rank(from), number_rank(to)) {
        return (a < b).then(|| u32::from(b - a) + 1);
    }
    if let (Some(a), Some(b)) = (time_rank(from), time_rank(to)) {
        return (a < b).then(|| u32::from(b - a) + 1);
    }
    if is_text(from) && is_text(to) {
        return match to {
            oid::TEXT => Some(1),
            oid::VARCHAR | oid::BPCHAR => Some(2),
            oid::NAME => Some(3),
            _ => None,
        };
    }
    if is_oid(from) && is_oid(to) {
        return Some(if to == oid::OID { 1 } else { 2 });
    }
    if is_oid(from) && to == oid::INT8 {
        return Some(3);
    }
    if is_integer(from) && is_oid(to) {
        return Some(if to == oid::OID { 4 } else { 5 });
    }
    if matches!(from, oid::TEXT | oid::VARCHAR) && to == oid::REGCLASS {
        return Some(5);
    }
    match (from, to) {
        (oid::INT2VECTOR, 1005) | (oid::OIDVECTOR, 1028) => return Some(1),
        (oid::RECORD, _) | (_, oid::RECORD) => return None,
        _ => {}
    }
    match (element(from), element(to)) {
        (Some(a), Some(b)) if to != oid::ANYARRAY => distance(a, b).map(|far| far + 1),
        _ => None,
    }
}

/// The type in which values of two types are compared or united.
pub fn common(a: u32, b: u32) -> Option<u32> {
    let (a, b) = (base(a), base(b));
    if a == b {
        return Some(a);
    }
    if a == oid::UNKNOWN {
        return Some(b);
    }
    if b == oid::UNKNOWN {
        return Some(a);
    }
    if is_text(a) && is_text(b) {
        return Some(oid::TEXT);
    }
    if is_oid(a) && is_oid(b) {
        return Some(oid::OID);
    }
    if (is_oid(a) && is_integer(b)) || (is_integer(a) && is_oid(b)) {
        return Some(if a == oid::INT8 || b == oid::INT8 {
            oid::INT8
        } else {
            oid::OID
        });
    }
    if (a, b) == (oid::FLOAT4, oid::NUMERIC) || (a, b) == (oid::NUMERIC, oid::FLOAT4) {
        return Some(oid::FLOAT8);
    }
    if let (Some(x), Some(y)) = (element(a), element(b)) {
        return common(x, y).and_then(array);
    }
    match (distance(a, b), distance(b, a)) {
        (Some(_), _) => Some(b),
        (_, Some(_)) => Some(a),
        _ => None,
    }
}

/// A type as SQL writes it, with its modifier.
pub fn format(oid: u32, typmod: i32) -> Option<String> {
    if let Some(element) = element(oid)
        && !matches!(oid, oid::INT2VECTOR | oid::OIDVECTOR | oid::ANYARRAY)
    {
        return format(element, typmod).map(|name| name + "[]");
    }
    let fact = get(oid)?;
    let length = |name: &str| match typmod >= 4 {
        true => format!("{name}({})", typmod - 4),
        false => name.to_owned(),
    };
    let precision = |name: &str, rest: &str| match typmod >= 0 {
        true => format!("{name}({typmod}) {rest}"),
        false => format!("{name} {rest}"),
    };
    Some(match fact.name.as_str() {
        "bool" => "boolean".into(),
        "int2" => "smallint".into(),
        "int4" => "integer".into(),
        "int8" => "bigint".into(),
        "float4" => "real".into(),
        "float8" => "double precision".into(),
        "bpchar" if typmod < 0 => "character".into(),
        "bpchar" => length("character"),
        "varchar" => length("character varying"),
        "char" => "\"char\"".into(),
        "timestamp" => precision("timestamp", "without time zone"),
        "timestamptz" => precision("timestamp", "with time zone"),
        "time" => precision("time", "without time zone"),
        "timetz" => precision("time", "with time zone"),
        "bit" if typmod >= 0 => format!("bit({typmod})"),
        "varbit" if typmod >= 0 => format!("bit varying({typmod})"),
        "varbit" => "bit varying".into(),
        "any" => "\"any\"".into(),
        "numeric" if typmod >= 4 => {
            let packed = typmod - 4;
            format!("numeric({},{})", packed >> 16, packed & 0x7ff)
        }
        name if fact.namespace != super::relations::PG_CATALOG => {
            format!("information_schema.{name}")
        }
        name => name.to_owned(),
    })
}

/// The modifier of `numeric(precision, scale)`.
pub fn numeric_typmod(precision: u8, scale: i8) -> i32 {
    ((i32::from(precision) << 16) | (i32::from(scale) & 0x7ff)) + 4
}
