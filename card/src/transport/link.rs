use super::{Transport, TransportError};
use crate::apdu::{Apdu, MAX_ANSWER_DATA, Response, Status};
use crate::atr::Atr;
use crate::command::{CardError, GetResponse, Instruction};

/// How many GET RESPONSE one command may take. No answer of a health card needs more than two.
const MAX_ROUNDS: u32 = 8;

/// A conversation with a card. It follows `61xx` with GET RESPONSE and sends a command again after
/// `6Cxx`, each within bounds, and counts every command on the wire.
pub struct Link<'t> {
    transport: &'t mut dyn Transport,
    commands: u32,
}

/// Why a command brought nothing.
#[derive(Debug, thiserror::Error)]
pub enum LinkError {
    /// No answer came.
    #[error(transparent)]
    Transport(#[from] TransportError),
    /// An answer came, but not the one that was asked for.
    #[error(transparent)]
    Card(#[from] CardError),
}

impl<'t> Link<'t> {
    /// A conversation over `transport`.
    pub fn new(transport: &'t mut dyn Transport) -> Self {
        Self { transport, commands: 0 }
    }

    /// The card's answer to reset.
    pub fn atr(&self) -> &Atr {
        self.transport.atr()
    }

    /// How many commands were sent, repeats and GET RESPONSE included.
    pub fn commands(&self) -> u32 {
        self.commands
    }

    /// Runs one instruction.
    ///
    /// # Errors
    /// [`LinkError`] when no answer came, or not the one that was asked for.
    pub fn run<I: Instruction>(&mut self, instruction: &I) -> Result<I::Answer, LinkError> {
        let response = self.exchange(&instruction.encode())?;
        Ok(instruction.decode(response)?)
    }

    /// Runs one instruction that is written without Le although its answer is wanted, as those of a
    /// SAM are: what a `61xx` announces is fetched.
    ///
    /// # Errors
    /// As for [`run`](Self::run).
    pub fn fetch<I: Instruction>(&mut self, instruction: &I) -> Result<I::Answer, LinkError> {
        let response = self.transmit(&instruction.encode())?;
        let response = self.collect(response)?;
        Ok(instruction.decode(response)?)
    }

    /// Sends a ready-made command, such as one of [`messaging`](crate::messaging), that expects no
    /// data.
    ///
    /// # Errors
    /// As for [`run`](Self::run).
    pub fn send(&mut self, command: &Apdu) -> Result<(), LinkError> {
        match self.exchange(command)?.status {
            Status::Done => Ok(()),
            refused => Err(CardError::Refused(refused).into()),
        }
    }

    /// One command with all that belongs to its answer. A command that expects nothing keeps a
    /// `61xx` as it is: what the card has ready is not wanted.
    fn exchange(&mut self, command: &Apdu) -> Result<Response, LinkError> {
        let mut response = self.transmit(command)?;
        if command.expected().is_none() {
            return Ok(response);
        }
        if let Status::RightLength { length } = response.status {
            response = self.transmit(&command.clone().expecting(whole(length)))?;
        }
        self.collect(response)
    }

    /// The rest of an answer that `response` begins or announces.
    fn collect(&mut self, mut response: Response) -> Result<Response, LinkError> {
        let mut data = response.data;
        for _ in 0..MAX_ROUNDS {
            let Status::MoreData { available } = response.status else {
                return Ok(Response { data, status: response.status });
            };
            response = self.transmit(&GetResponse(whole(available)).encode())?;
            data.extend(&response.data);
            if data.len() > MAX_ANSWER_DATA {
                break;
            }
        }
        match response.status {
            Status::MoreData { .. } => Err(CardError::Endless.into()),
            status if data.len() <= MAX_ANSWER_DATA => Ok(Response { data, status }),
            _ => Err(TransportError::Garbage { length: data.len() }.into()),
        }
    }

    fn transmit(&mut self, command: &Apdu) -> Result<Response, TransportError> {
        self.commands += 1;
        self.transport.transmit(command)
    }
}

/// A length of one byte, in which 0 stands for 256.
fn whole(length: u8) -> u16 {
    if length == 0 { 256 } else { u16::from(length) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::command::{GetChallenge, Select};
    use crate::transport::transcript::{Replay, Transcript};

    fn replay(steps: &str) -> Replay {
        let text = format!("atr 3B88800111012201000000013B\n{steps}");
        Replay::new(text.parse::<Transcript>().unwrap())
    }

    #[test]
    fn answers_in_parts_are_put_together() {
        let cases = [
            ("at once", "> 0084000008\n< 0102030405060708 9000", 1),
            ("61xx", "> 0084000008\n< 6108\n> 00C0000008\n< 0102030405060708 9000", 2),
            ("6Cxx", "> 0084000008\n< 6C08\n> 0084000008\n< 0102030405060708 9000", 2),
            ("in two parts", "> 0084000008\n< 01020304 6104\n> 00C0000004\n< 05060708 9000", 2),
        ];
        for (name, steps, commands) in cases {
            let mut card = replay(steps);
            let mut link = Link::new(&mut card);
            assert_eq!(link.run(&GetChallenge).unwrap(), [1, 2, 3, 4, 5, 6, 7, 8], "{name}");
            assert_eq!(link.commands(), commands, "{name}");
        }
    }

    #[test]
    fn what_is_not_wanted_is_not_fetched() {
        let mut card = replay("> 00A4000002DDF1\n< 6119");
        assert!(Link::new(&mut card).run(&Select(0xDDF1)).is_ok());
    }

    #[test]
    fn an_answer_without_end_is_an_error() {
        let mut steps = "> 0084000008\n< 6101".to_owned();
        for _ in 0..MAX_ROUNDS {
            steps += "\n> 00C0000001\n< AA 6101";
        }
        let refused = Link::new(&mut replay(&steps)).run(&GetChallenge);
        assert!(matches!(refused, Err(LinkError::Card(CardError::Endless))));

        let twice = "> 0084000008\n< 6C08\n> 0084000008\n< 6C09";
        let refused = Link::new(&mut replay(twice)).run(&GetChallenge);
        let again = Status::RightLength { length: 9 };
        assert!(matches!(refused, Err(LinkError::Card(CardError::Refused(s))) if s == again));
    }
}
