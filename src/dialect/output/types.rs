//! The PostgreSQL type of a column.

use datafusion::arrow::datatypes::{DataType, Field};

use crate::dialect::numbers::types::PLACES;

/// The key under which a field names the type of PostgreSQL that it has, where Arrow has none.
pub const PG_TYPE: &str = "pg_type";

/// The key under which the field of an array says the places of its elements one by one, where they
/// differ: `1,0` of `array[1.5, 2]`.
pub const ELEMENT_PLACES: &str = "element_places";

/// The places of the elements of an array, as its field says.
pub fn element_places(field: &Field) -> Vec<i8> {
    let places = field.metadata().get(ELEMENT_PLACES);
    let places = places.map(|places| places.split(','));
    let places = places.into_iter().flatten();
    places.filter_map(|places| places.parse().ok()).collect()
}

/// A type as a client knows it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PgType {
    pub oid: u32,
    /// Bytes of a value; -1 where they differ.
    pub size: i16,
    /// Precision and scale; -1 without.
    pub modifier: i32,
}

pub const BOOL: u32 = 16;
pub const BYTEA: u32 = 17;
pub const CHAR: u32 = 18;
pub const INT8: u32 = 20;
pub const INT2: u32 = 21;
pub const INT4: u32 = 23;
pub const TEXT: u32 = 25;
pub const OID: u32 = 26;
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
pub const RECORD: u32 = 2249;
pub const UUID: u32 = 2950;
pub const JSON: u32 = 114;
pub const JSONB: u32 = 3802;

/// Types by name: oid, size, oid of its array.
const NAMED: &[(&str, u32, i16, u32)] = &[
    ("bool", BOOL, 1, 1000),
    ("bytea", BYTEA, -1, 1001),
    ("char", CHAR, 1, 1002),
    ("name", 19, 64, 1003),
    ("int8", INT8, 8, 1016),
    ("int2", INT2, 2, 1005),
    ("int2vector", 22, -1, 1006),
    ("int4", INT4, 4, 1007),
    ("regproc", 24, 4, 1008),
    ("text", TEXT, -1, 1009),
    ("oid", OID, 4, 1028),
    ("tid", 27, 6, 1010),
    ("xid", 28, 4, 1011),
    ("cid", 29, 4, 1012),
    ("oidvector", 30, -1, 1013),
    ("json", JSON, -1, 199),
    ("xml", 142, -1, 143),
    ("pg_node_tree", 194, -1, 0),
    ("float4", FLOAT4, 4, 1021),
    ("float8", FLOAT8, 8, 1022),
    ("unknown", UNKNOWN, -2, 0),
    ("cidr", 650, -1, 651),
    ("inet", 869, -1, 1041),
    ("aclitem", 1033, 12, 1034),
    ("bpchar", BPCHAR, -1, 1014),
    ("varchar", VARCHAR, -1, 1015),
    ("date", DATE, 4, 1182),
    ("time", TIME, 8, 1183),
    ("timestamp", TIMESTAMP, 8, 1115),
    ("timestamptz", TIMESTAMPTZ, 8, 1185),
    ("interval", INTERVAL, 16, 1187),
    ("timetz", 1266, 12, 1270),
    ("bit", 1560, -1, 1561),
    ("varbit", 1562, -1, 1563),
    ("numeric", NUMERIC, -1, 1231),
    ("regprocedure", 2202, 4, 2207),
    ("regoper", 2203, 4, 2208),
    ("regoperator", 2204, 4, 2209),
    ("regclass", 2205, 4, 2210),
    ("regtype", 2206, 4, 2211),
    ("record", RECORD, -1, 2287),
    ("cstring", 2275, -2, 1263),
    ("anyarray", 2277, -1, 0),
    ("void", 2278, 4, 0),
    ("uuid", UUID, 16, 2951),
    ("regconfig", 3734, 4, 3735),
    ("jsonb", JSONB, -1, 3807),
    ("regnamespace", 4089, 4, 4090),
    ("regrole", 4096, 4, 4097),
    ("xid8", 5069, 8, 271),
];

impl PgType {
    const fn new(oid: u32, size: i16) -> Self {
        Self {
            oid,
            size,
            modifier: -1,
        }
    }

    /// The type of a column.
    pub fn of(field: &Field) -> Self {
        match field.metadata().get(PG_TYPE).and_then(|name| named(name)) {
            Some(named) => Self {
                modifier: -1,
                ..named
            },
            None => Self::of_arrow(field.data_type()),
        }
    }

    /// The name that PostgreSQL has for it.
    pub fn name(&self) -> &'static str {
        let found = NAMED.iter().find(|(_, oid, ..)| *oid == self.oid);
        found.map_or("unknown", |(name, ..)| name)
    }

    fn of_arrow(data_type: &DataType) -> Self {
        match data_type {
            DataType::Boolean => Self::new(BOOL, 1),
            DataType::Int8 | DataType::UInt8 | DataType::Int16 => Self::new(INT2, 2),
            DataType::UInt16 | DataType::Int32 => Self::new(INT4, 4),
            DataType::UInt32 | DataType::Int64 | DataType::UInt64 => Self::new(INT8, 8),
            DataType::Float16 | DataType::Float32 => Self::new(FLOAT4, 4),
            DataType::Float64 => Self::new(FLOAT8, 8),
            DataType::Decimal32(precision, scale)
            | DataType::Decimal64(precision, scale)
            | DataType::Decimal128(precision, scale)
            | DataType::Decimal256(precision, scale) => Self {
                modifier: numeric_modifier(*precision, *scale),
                ..Self::new(NUMERIC, -1)
            },
            DataType::Binary
            | DataType::LargeBinary
            | DataType::BinaryView
            | DataType::FixedSizeBinary(_) => Self::new(BYTEA, -1),
            DataType::Date32 | DataType::Date64 => Self::new(DATE, 4),
            DataType::Time32(_) | DataType::Time64(_) => Self::new(TIME, 8),
            DataType::Timestamp(_, None) => Self::new(TIMESTAMP, 8),
            DataType::Timestamp(_, Some(_)) => Self::new(TIMESTAMPTZ, 8),
            DataType::Interval(_) | DataType::Duration(_) => Self::new(INTERVAL, 16),
            DataType::Dictionary(_, values) => Self::of_arrow(values),
            DataType::RunEndEncoded(_, values) => Self::of(values),
            DataType::List(element)
            | DataType::LargeList(element)
            | DataType::ListView(element)
            | DataType::LargeListView(element)
            | DataType::FixedSizeList(element, _) => {
                let element = Self::of(innermost(element));
                Self {
                    modifier: element.modifier,
                    ..Self::new(array_of(element.oid), -1)
                }
            }
            DataType::Struct(_) => Self::new(RECORD, -1),
            _ => Self::new(TEXT, -1),
        }
    }
}

/// The elements of an array of arrays, which PostgreSQL has one type for.
pub fn innermost(element: &Field) -> &Field {
    match element.data_type() {
        DataType::List(inner) | DataType::LargeList(inner) | DataType::FixedSizeList(inner, _) => {
            innermost(inner)
        }
        _ => element,
    }
}

/// A numeric of which no digits are said has none for the client.
fn numeric_modifier(precision: u8, scale: i8) -> i32 {
    match u8::try_from(scale) {
        Ok(places) if scale != PLACES && (precision, scale) != (38, 10) => {
            let scale = places;
            ((i32::from(precision) << 16) | i32::from(scale)) + 4
        }
        _ => -1,
    }
}

/// A type by its name; an array has `[]` behind it or `_` before.
fn named(name: &str) -> Option<PgType> {
    let element = name.strip_suffix("[]").or_else(|| name.strip_prefix('_'));
    if let Some(element) = element {
        let (_, _, _, array) = NAMED.iter().find(|(known, ..)| *known == element)?;
        return Some(PgType::new(*array, -1));
    }
    let (_, oid, size, _) = NAMED.iter().find(|(known, ..)| *known == name)?;
    Some(PgType::new(*oid, *size))
}

/// The type of arrays of a type.
pub fn array_of(element: u32) -> u32 {
    let found = NAMED.iter().find(|(_, oid, ..)| *oid == element);
    found.map_or(1009, |(_, _, _, array)| *array)
}

/// The type of an array's elements; `None` where it is no array.
pub fn element_of(array: u32) -> Option<u32> {
    if array == 0 {
        return None;
    }
    let found = NAMED.iter().find(|(_, _, _, oid)| *oid == array);
    found.map(|(_, element, ..)| *element)
}
