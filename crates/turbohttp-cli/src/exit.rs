//! How the command ends.

use std::io;
use std::process::ExitCode;

use turbohttp::ErrorKind;

/// What the exit code says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Exit {
    /// All went well.
    Ok = 0,
    /// Some requests failed.
    SomeFailed = 1,
    /// What was typed cannot be done.
    Usage = 2,
    /// A measured figure passed its budget.
    #[cfg_attr(
        not(feature = "bench"),
        expect(dead_code, reason = "only `bench` has gates")
    )]
    GateFailed = 3,
    /// Interrupted by Ctrl-C: 128 and the number of the signal, as shells say it.
    Interrupted = 130,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> ExitCode {
        ExitCode::from(exit as u8)
    }
}

/// An error that ends the command, and how.
#[derive(Debug)]
pub(crate) struct Failure {
    pub(crate) exit: Exit,
    pub(crate) error: anyhow::Error,
}

impl Failure {
    /// What was typed cannot be done.
    pub(crate) fn usage(error: anyhow::Error) -> Failure {
        Failure {
            exit: Exit::Usage,
            error,
        }
    }

    /// Whether the reader of the output has gone.
    pub(crate) fn is_closed_pipe(&self) -> bool {
        self.error.chain().any(|cause| {
            let io = cause.downcast_ref::<io::Error>();
            io.is_some_and(|io| io.kind() == io::ErrorKind::BrokenPipe)
        }) && !self.is_of_the_network()
    }

    /// A connection that breaks while it is written to has the same kind as a closed pipe.
    fn is_of_the_network(&self) -> bool {
        self.client_kind()
            .is_some_and(|kind| kind != ErrorKind::Output)
    }

    fn client_kind(&self) -> Option<ErrorKind> {
        let mut chain = self.error.chain();
        chain
            .find_map(|cause| cause.downcast_ref::<turbohttp::Error>())
            .map(turbohttp::Error::kind)
    }
}

impl From<anyhow::Error> for Failure {
    /// The client's word on whose fault it is decides the exit code.
    fn from(error: anyhow::Error) -> Failure {
        let mut failure = Failure {
            exit: Exit::SomeFailed,
            error,
        };
        let kind = failure.client_kind();
        if matches!(
            kind,
            Some(ErrorKind::Config | ErrorKind::Url | ErrorKind::Request)
        ) {
            failure.exit = Exit::Usage;
        }
        failure
    }
}
