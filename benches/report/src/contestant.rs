//! A program that stays ready and measures one thing for each line it is given.
//!
//! Several of them can be asked by turns, so that a slower minute of the machine slows all of them, and each keeps
//! what it has warmed up. While one measures, the others wait for a line and take nothing.

use std::io::{self, BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

/// A running program that answers a line with a line. It ends when this is dropped.
#[derive(Debug)]
pub struct Contestant {
    program: String,
    process: Child,
    /// Closed in order to end the program; present until then.
    input: Option<ChildStdin>,
    output: BufReader<ChildStdout>,
}

impl Contestant {
    /// Starts the program. Its standard error is ours.
    ///
    /// # Errors
    ///
    /// When it cannot be started; the message names it.
    pub fn start(command: &mut Command) -> io::Result<Self> {
        let program = command.get_program().to_string_lossy().into_owned();
        let mut process = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .map_err(|error| io::Error::new(error.kind(), format!("cannot start {program}: {error}")))?;
        let input = process.stdin.take();
        let output = process.stdout.take().ok_or(io::ErrorKind::BrokenPipe)?;
        Ok(Self { program, process, input, output: BufReader::new(output) })
    }

    /// Sends one line and waits for the line that answers it.
    ///
    /// # Errors
    ///
    /// When the program has ended instead of answering; the message names it and the line.
    pub fn ask(&mut self, line: &str) -> io::Result<String> {
        let mut answer = String::new();
        let asked =
            self.input.as_mut().ok_or(io::ErrorKind::BrokenPipe)?.write_all(format!("{line}\n").as_bytes());
        asked.and_then(|()| self.output.read_line(&mut answer))?;
        if answer.is_empty() {
            let reason = format!("{} ended instead of answering: {line}", self.program);
            return Err(io::Error::new(io::ErrorKind::UnexpectedEof, reason));
        }
        Ok(answer.trim().to_owned())
    }
}

impl Drop for Contestant {
    fn drop(&mut self) {
        drop(self.input.take());
        if let Err(error) = self.process.wait() {
            eprintln!("cannot wait for {}: {error}", self.program);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_contestant_answers_line_by_line() {
        let mut echo = Contestant::start(&mut Command::new("cat")).unwrap();
        assert_eq!(echo.ask("one").unwrap(), "one");
        assert_eq!(echo.ask("two").unwrap(), "two");
    }

    #[test]
    fn a_contestant_that_gives_up_is_named_with_what_it_was_asked() {
        let mut quitter = Contestant::start(Command::new("sh").args(["-c", "read line"])).unwrap();
        let error = quitter.ask("spawn").unwrap_err();
        assert_eq!(error.to_string(), "sh ended instead of answering: spawn");
    }
}
