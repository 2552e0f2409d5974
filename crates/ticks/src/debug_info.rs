//! The types of a program, from its debug information (DWARF): which fields they have and where, what an async
//! function's state is, and at which line it waits in each.
//!
//! It is there with `debug = true` in the Cargo profile, as in `dev`'s. `debug = "line-tables-only"` and
//! `"limited"` leave types out.

use std::borrow::Cow;
use std::cell::{OnceCell, RefCell};
use std::collections::HashMap;

use gimli::{
    AttributeValue, DebuggingInformationEntry, DwAt, Dwarf, DwarfSections, EndianSlice,
    LittleEndian, UnitOffset, UnitSectionOffset,
};
use object::{Object, ObjectSection, ObjectSegment, ReadCache, ReadCacheOps, ReadRef};

mod shape;

pub use shape::{Field, Shape, Variant};

type Slice<'a> = EndianSlice<'a, LittleEndian>;
type Unit<'a> = gimli::Unit<Slice<'a>>;
type Entry<'a> = DebuggingInformationEntry<Slice<'a>>;

/// The sections of a module's file.
pub struct Sections<'a> {
    sections: DwarfSections<Cow<'a, [u8]>>,
    segments: Vec<Segment>,
}

struct Segment {
    offset: u64,
    len: u64,
    address: u64,
}

impl<'a> Sections<'a> {
    /// Reads them; `None` if the file is none of this kind, or has no debug information.
    pub fn read<R: ReadCacheOps>(cache: &'a ReadCache<R>) -> Option<Sections<'a>> {
        let file = object::File::parse(cache).ok()?;
        Sections::of(&file)
    }

    fn of<R: ReadRef<'a>>(file: &object::File<'a, R>) -> Option<Sections<'a>> {
        file.section_by_name(".debug_info")?;
        let load = |id: gimli::SectionId| -> Result<Cow<'a, [u8]>, gimli::Error> {
            let section = file.section_by_name(id.name());
            Ok(section.and_then(|section| section.uncompressed_data().ok()).unwrap_or_default())
        };
        let segments = file.segments().map(|segment| Segment {
            offset: segment.file_range().0,
            len: segment.file_range().1,
            address: segment.address(),
        });
        let segments = segments.collect();
        Some(Sections { sections: DwarfSections::load(load).ok()?, segments })
    }

    /// What is at a place in the file has this address in the file's own tables.
    pub fn address_of(&self, offset: u64) -> Option<u64> {
        let has = |segment: &&Segment| {
            (segment.offset..segment.offset.saturating_add(segment.len)).contains(&offset)
        };
        let segment = self.segments.iter().find(has)?;
        Some(segment.address + (offset - segment.offset))
    }
}

/// The debug information of a module.
pub struct DebugInfo<'a> {
    dwarf: Dwarf<Slice<'a>>,
    units: Vec<Indexed<'a>>,
    /// By address: which unit's code it is.
    ranges: Vec<(u64, u64, usize)>,
    shapes: RefCell<HashMap<Id, std::rc::Rc<Shape>>>,
}

struct Indexed<'a> {
    unit: Unit<'a>,
    index: OnceCell<Index>,
}

/// What cannot be found in a unit without a walk through it.
#[derive(Default)]
struct Index {
    /// Functions by their first address.
    functions: HashMap<u64, usize>,
    /// What each named thing is in.
    parents: HashMap<usize, usize>,
}

/// An entry of the debug information.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Id {
    unit: usize,
    offset: usize,
}

impl<'a> DebugInfo<'a> {
    /// Reads which units there are. What is damaged is as if it were not there.
    pub fn new(sections: &'a Sections<'a>) -> DebugInfo<'a> {
        let dwarf = sections.sections.borrow(|section| EndianSlice::new(section, LittleEndian));
        let (mut units, mut ranges) = (Vec::new(), Vec::new());
        let mut headers = dwarf.units();
        while let Ok(Some(header)) = headers.next() {
            let Ok(unit) = dwarf.unit(header) else { continue };
            if let Ok(mut of_unit) = dwarf.unit_ranges(&unit) {
                while let Ok(Some(range)) = of_unit.next() {
                    ranges.push((range.begin, range.end, units.len()));
                }
            }
            units.push(Indexed { unit, index: OnceCell::new() });
        }
        ranges.sort_unstable();
        DebugInfo { dwarf, units, ranges, shapes: RefCell::default() }
    }

    /// The function that begins at this address.
    pub fn function_at(&self, address: u64) -> Option<Id> {
        let after = self.ranges.partition_point(|range| range.0 <= address);
        // Ranges of units do not overlap, but for those of damaged files.
        let (_, end, unit) = *self.ranges[..after].last()?;
        let offset = *self.index(unit).functions.get(&address).filter(|_| address < end)?;
        Some(Id { unit, offset })
    }

    /// The types for which a generic function was compiled, by the names of its parameters.
    pub fn type_arguments(&self, function: Id) -> Vec<(String, Id)> {
        let mut found = Vec::new();
        for entry in self.with_origins(function) {
            self.each_child(entry, |child| {
                if child.tag() == gimli::DW_TAG_template_type_parameter {
                    let name = self.string(entry, child, gimli::DW_AT_name).unwrap_or_default();
                    found.extend(
                        self.reference(entry, child, gimli::DW_AT_type).map(|id| (name, id)),
                    );
                }
            });
            if !found.is_empty() {
                break;
            }
        }
        found
    }

    /// The type of a function's first parameter.
    pub fn first_parameter(&self, function: Id) -> Option<Id> {
        self.with_origins(function).into_iter().find_map(|entry| {
            let mut found = None;
            self.each_child(entry, |child| {
                if child.tag() == gimli::DW_TAG_formal_parameter && found.is_none() {
                    found = self.reference(entry, child, gimli::DW_AT_type).or_else(|| {
                        let origin = self.reference(entry, child, gimli::DW_AT_abstract_origin)?;
                        let parameter = self.entry(origin)?;
                        self.reference(origin, &parameter, gimli::DW_AT_type)
                    });
                }
            });
            found
        })
    }

    /// What a type is.
    pub fn shape(&self, id: Id) -> std::rc::Rc<Shape> {
        if let Some(shape) = self.shapes.borrow().get(&id) {
            return shape.clone();
        }
        let shape = std::rc::Rc::new(shape::of(self, id).unwrap_or(Shape::Other));
        self.shapes.borrow_mut().insert(id, shape.clone());
        shape
    }

    /// A function, its declaration, and what it is an instance of.
    fn with_origins(&self, function: Id) -> Vec<Id> {
        let mut all = vec![function];
        while let Some(next) = all.last().copied().filter(|_| all.len() < 4).and_then(|id| {
            let entry = self.entry(id)?;
            let origin = self.reference(id, &entry, gimli::DW_AT_abstract_origin);
            origin.or_else(|| self.reference(id, &entry, gimli::DW_AT_specification))
        }) {
            all.push(next);
        }
        all
    }

    fn entry(&self, id: Id) -> Option<Entry<'a>> {
        self.units.get(id.unit)?.unit.entry(UnitOffset(id.offset)).ok()
    }

    /// Calls `each` with every child of an entry.
    fn each_child(&self, id: Id, mut each: impl FnMut(&Entry<'a>)) {
        let Some(indexed) = self.units.get(id.unit) else { return };
        let Ok(mut tree) = indexed.unit.entries_tree(Some(UnitOffset(id.offset))) else { return };
        let Ok(root) = tree.root() else { return };
        let mut children = root.children();
        while let Ok(Some(child)) = children.next() {
            each(child.entry());
        }
    }

    /// Text of an attribute. `near` is any entry of the same unit.
    fn string(&self, near: Id, entry: &Entry<'a>, name: DwAt) -> Option<String> {
        let value = entry.attr_value(name)?;
        let unit = &self.units.get(near.unit)?.unit;
        let text = self.dwarf.attr_string(unit, value).ok()?;
        Some(text.to_string_lossy().into_owned())
    }

    fn number(&self, entry: &Entry<'a>, name: DwAt) -> Option<u64> {
        match entry.attr_value(name)? {
            AttributeValue::Sdata(value) => Some(value as u64),
            value => value.udata_value(),
        }
    }

    /// The entry that an attribute names.
    fn reference(&self, near: Id, entry: &Entry<'a>, name: DwAt) -> Option<Id> {
        match entry.attr_value(name)? {
            AttributeValue::UnitRef(offset) => Some(Id { unit: near.unit, offset: offset.0 }),
            AttributeValue::DebugInfoRef(offset) => {
                let begin = |indexed: &Indexed<'a>| match indexed.unit.header.offset() {
                    UnitSectionOffset(begin) => begin,
                };
                let after = self.units.partition_point(|unit| begin(unit) <= offset.0);
                let unit = after.checked_sub(1)?;
                Some(Id { unit, offset: offset.0 - begin(&self.units[unit]) })
            }
            _ => None,
        }
    }

    /// The file and the line of an entry.
    fn place(&self, near: Id, entry: &Entry<'a>) -> Option<(String, u32)> {
        let line = u32::try_from(self.number(entry, gimli::DW_AT_decl_line)?).ok()?;
        let unit = &self.units.get(near.unit)?.unit;
        let number = match entry.attr_value(gimli::DW_AT_decl_file)? {
            AttributeValue::FileIndex(number) => number,
            value => value.udata_value()?,
        };
        let header = unit.line_program.as_ref()?.header();
        let file = header.file(number)?;
        let text =
            |value| Some(self.dwarf.attr_string(unit, value).ok()?.to_string_lossy().into_owned());
        let mut path = std::path::PathBuf::from(match unit.comp_dir {
            Some(dir) => dir.to_string_lossy().into_owned(),
            None => String::new(),
        });
        path.push(file.directory(header).and_then(text).unwrap_or_default());
        path.push(text(file.path_name())?);
        Some((path.to_string_lossy().into_owned(), line))
    }

    /// The name of an entry with those of all that it is in: `last_item::serve::{async_fn_env#0}`.
    fn path(&self, id: Id) -> String {
        const DEPTH_MAX: usize = 64;
        let mut names = Vec::new();
        let mut next = Some(id.offset);
        while let Some(offset) = next.filter(|_| names.len() < DEPTH_MAX) {
            let id = Id { unit: id.unit, offset };
            let Some(entry) = self.entry(id) else { break };
            names.extend(self.string(id, &entry, gimli::DW_AT_name));
            next = self.index(id.unit).parents.get(&offset).copied();
        }
        names.reverse();
        names.join("::")
    }

    fn index(&self, unit: usize) -> &Index {
        self.units[unit].index.get_or_init(|| Index::of(&self.dwarf, &self.units[unit].unit))
    }
}

impl Index {
    fn of<'a>(dwarf: &Dwarf<Slice<'a>>, unit: &Unit<'a>) -> Index {
        let mut index = Index::default();
        // What the entry that comes next may be in, with its depth.
        let mut outer: Vec<(isize, usize)> = Vec::new();
        let mut entries = unit.entries();
        while let Ok(Some(entry)) = entries.next_dfs() {
            let (depth, offset) = (entry.depth(), entry.offset().0);
            while outer.last().is_some_and(|(outer, _)| *outer >= depth) {
                outer.pop();
            }
            match entry.tag() {
                gimli::DW_TAG_namespace
                | gimli::DW_TAG_structure_type
                | gimli::DW_TAG_union_type
                | gimli::DW_TAG_enumeration_type => {
                    index.parents.extend(outer.last().map(|(_, parent)| (offset, *parent)));
                    outer.push((depth, offset));
                }
                gimli::DW_TAG_subprogram => {
                    if let Ok(Some(range)) =
                        dwarf.die_ranges(unit, entry).and_then(|mut it| it.next())
                    {
                        index.functions.insert(range.begin, offset);
                    }
                }
                _ => {}
            }
        }
        index
    }
}
