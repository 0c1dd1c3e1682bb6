//! Subscripts of numpy's arrays: numbers, tuples of numbers, and slices of the first dimension.
//! What is found is as `tolist()` gives it: one element as Python's own number or text, more of
//! them as lists.

use super::error::{Class, Error};
use super::eval::Evaluator;
use super::subscript::Index;
use super::value::Value;
use crate::Addr;
use crate::python::value::numpy::{Array, Element};

/// The most elements that are read for one answer.
const MOST_ELEMENTS: usize = 1 << 16;

impl Evaluator<'_> {
    /// `array[index]`.
    pub(crate) fn array_item(&self, addr: Addr, index: &Index) -> Result<Value, Error> {
        let mut array = Array::read(self.objects, addr)?;
        if let Index::One(value) = index {
            let loaded = self.load(value)?;
            let numbers = match &loaded {
                Value::Tuple(numbers) => numbers.as_slice(),
                one => std::slice::from_ref(one),
            };
            for (axis, number) in numbers.iter().enumerate() {
                array = self.row(&array, axis, number)?;
            }
            return self.listed(&array, &mut 0);
        }
        let length = array.shape.first().copied().unwrap_or(0);
        let places = self.sliced("array", length, index)?;
        let mut read = 0;
        let rows = places.into_iter().filter_map(|at| array.row(at));
        let rows: Result<Vec<Value>, Error> =
            rows.map(|row| self.listed(&row, &mut read)).collect();
        rows.map(Value::List)
    }

    /// Row `number` of what is left of an array after `axis` indices.
    fn row(&self, array: &Array, axis: usize, number: &Value) -> Result<Array, Error> {
        let Some(&length) = array.shape.first() else {
            let text = "too many indices for array";
            return Err(Error::new(Class::IndexError, text));
        };
        let Some(index) = self.index_number(number)? else {
            let text = "arrays are indexed by numbers, tuples of numbers and slices here";
            return Err(Error::new(Class::NotRun, text));
        };
        let wanted = i64::try_from(&index).unwrap_or(i64::MIN);
        let size = i64::try_from(length).unwrap_or(i64::MAX);
        let place = if wanted < 0 {
            wanted.saturating_add(size)
        } else {
            wanted
        };
        let row = usize::try_from(place).ok().and_then(|at| array.row(at));
        row.ok_or_else(|| {
            let text = format!("index {index} is out of bounds for axis {axis} with size {length}");
            Error::new(Class::IndexError, text)
        })
    }

    /// An array as nested lists, without dimensions as the one element.
    fn listed(&self, array: &Array, read: &mut usize) -> Result<Value, Error> {
        // Rows count as well: there may be any number of empty ones.
        *read += 1;
        if *read > MOST_ELEMENTS {
            let text = format!("more than {MOST_ELEMENTS} elements of an array");
            return Err(Error::new(Class::TooLarge, text));
        }
        let Some(&length) = array.shape.first() else {
            return match array.element(self.objects)? {
                Some(element) => Ok(value(element)),
                None => {
                    let text = "elements of this data type are not decoded";
                    Err(Error::new(Class::NotRun, text))
                }
            };
        };
        let rows = (0..length).map_while(|at| array.row(at));
        let rows: Result<Vec<Value>, Error> = rows.map(|row| self.listed(&row, read)).collect();
        rows.map(Value::List)
    }
}

fn value(element: Element) -> Value {
    match element {
        Element::Bool(value) => Value::Bool(value),
        Element::Int(value) => Value::int(value),
        Element::Float(value) => Value::Float(value),
        Element::Complex(real, imaginary) => Value::Complex(real, imaginary),
        Element::Text(codes) => Value::Str(codes),
        Element::Bytes(bytes) => Value::Bytes(bytes),
        Element::Object(addr) => Value::Object(addr),
    }
}
