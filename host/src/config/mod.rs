//! Configuration: as written in `sluicegate.yaml` and on the command line, and as the program uses it.

pub mod limits;
