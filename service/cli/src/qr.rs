//! A text as a QR code: a picture for a file, or half blocks for a terminal.

use qrcode::{Color, EcLevel, QrCode};

use crate::{failure::Failure, text::problems};

/// Light modules around the code, without which readers do not find it (ISO/IEC 18004, 6.3.8).
const QUIET: usize = 4;
/// Black on white whatever the terminal's own colours are, since readers expect dark on light.
const INK: &str = "\u{1b}[38;5;16;48;5;231m";
const PLAIN: &str = "\u{1b}[0m";

/// A QR code with the quiet zone around it.
pub(crate) struct Picture {
    /// Modules on a side.
    side: usize,
    /// Whether each module is dark, line by line.
    dark: Vec<bool>,
}

/// Whether the place that is drawn on knows colours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Surface {
    /// A terminal.
    Terminal,
    /// A file or a pipe: ink on paper.
    Paper,
}

impl Picture {
    /// The code of a text, in the mode that gives the smallest.
    pub(crate) fn of(text: &str) -> Result<Self, Failure> {
        // Level M restores 15 %: enough for a scratched screen, and the picture stays small.
        let code = QrCode::with_error_correction_level(text, EcLevel::M)
            .map_err(|_| Failure::of(problems::CODE_TOO_LONG))?;
        let modules = code.width();
        let side = modules + 2 * QUIET;
        let mut dark = vec![false; side * side];
        for (at, color) in code.to_colors().into_iter().enumerate() {
            let (line, column) = (at / modules + QUIET, at % modules + QUIET);
            dark[line * side + column] = color == Color::Dark;
        }
        Ok(Self { side, dark })
    }

    /// As PNG of one bit a pixel, eight pixels a module.
    pub(crate) fn png(&self) -> Vec<u8> {
        let pixels = u32::try_from(self.side * 8).expect("at most 185 modules");
        let mut octets = Vec::new();
        let mut encoder = png::Encoder::new(&mut octets, pixels, pixels);
        encoder.set_color(png::ColorType::Grayscale);
        encoder.set_depth(png::BitDepth::One);
        // A module is one octet wide, and eight lines high.
        let lines = self.dark.chunks(self.side).flat_map(|line| std::iter::repeat_n(line, 8));
        let image: Vec<u8> = lines.flatten().map(|dark| if *dark { 0 } else { 0xff }).collect();
        encoder
            .write_header()
            .and_then(|mut writer| {
                writer.write_image_data(&image)?;
                writer.finish()
            })
            .expect("memory takes an image of the announced size");
        octets
    }

    /// As lines of half blocks, two modules above each other in one character.
    pub(crate) fn draw(&self, surface: Surface) -> String {
        let at = |line: usize, column: usize| {
            self.dark.get(line * self.side + column).copied().unwrap_or(false)
        };
        let mut drawn = String::new();
        for line in (0..self.side).step_by(2) {
            let blocks =
                (0..self.side).map(|column| match (at(line, column), at(line + 1, column)) {
                    (true, true) => '█',
                    (true, false) => '▀',
                    (false, true) => '▄',
                    (false, false) => ' ',
                });
            let blocks: String = blocks.collect();
            match surface {
                Surface::Terminal => drawn.extend([INK, &blocks, PLAIN, "\n"]),
                Surface::Paper => drawn.extend([blocks.trim_end(), "\n"]),
            }
        }
        drawn
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A reader that shares nothing with the writer.
    fn scan(width: usize, height: usize, luminance: impl FnMut(usize, usize) -> u8) -> String {
        let mut image = rqrr::PreparedImage::prepare_from_greyscale(width, height, luminance);
        let grids = image.detect_grids();
        assert_eq!(grids.len(), 1, "one code in the picture");
        grids[0].decode().unwrap().1
    }

    fn texts() -> Vec<String> {
        let id = "3E3C04A85F0B1B7CC4E0D3D63FCE0B333E3C04A85F0B1B7CC4E0D3D63FCE0B33";
        vec![
            format!("{id}:1"),
            format!("{id}:1::5100A0013"),
            format!("{id}:0:07EDF1C4A7A01D2E3F40516273841EC3"),
            format!("{id}:0:07EDF1C4A7A01D2E3F40516273841EC3:5100A0013"),
            // As long as a signed code, in its alphabet.
            format!("HCC1:{}", "V50X507H0QS00+0$%*-./:".repeat(12).split_at(249).0),
        ]
    }

    #[test]
    fn the_file_is_read_by_another_program() {
        for text in texts() {
            let octets = Picture::of(&text).unwrap().png();
            let mut reader = png::Decoder::new(std::io::Cursor::new(octets)).read_info().unwrap();
            let mut line = Vec::new();
            while let Some(row) = reader.next_row().unwrap() {
                line.extend_from_slice(row.data());
            }
            let (width, height) = (reader.info().width as usize, reader.info().height as usize);
            let octets = width / 8;
            let read = scan(width, height, |x, y| {
                if line[y * octets + x / 8] >> (7 - x % 8) & 1 == 1 { 255 } else { 0 }
            });
            assert_eq!(read, text);
        }
    }

    /// What the eye sees of a drawing: dark or light at each half of each character. A terminal of
    /// another background shows the same, as both colours are said.
    #[test]
    fn the_drawing_is_read_by_another_program() {
        for (text, surface) in texts()
            .into_iter()
            .flat_map(|text| [(text.clone(), Surface::Terminal), (text, Surface::Paper)])
        {
            let drawn = Picture::of(&text).unwrap().draw(surface);
            let lines: Vec<Vec<char>> = drawn
                .lines()
                .map(|line| match surface {
                    Surface::Terminal => line
                        .strip_prefix(INK)
                        .unwrap()
                        .strip_suffix(PLAIN)
                        .unwrap()
                        .chars()
                        .collect(),
                    Surface::Paper => line.chars().collect(),
                })
                .collect();
            let side = lines.len() * 2;
            let dark = |x: usize, y: usize| match lines[y / 2].get(x) {
                Some('█') => true,
                Some('▀') => y.is_multiple_of(2),
                Some('▄') => !y.is_multiple_of(2),
                _ => false,
            };
            let scale = 6;
            let read =
                scan(
                    side * scale,
                    side * scale,
                    |x, y| {
                        if dark(x / scale, y / scale) { 20 } else { 235 }
                    },
                );
            assert_eq!(read, text);
        }
    }

    #[test]
    fn a_signed_code_fits_a_terminal_of_eighty_columns() {
        let picture = Picture::of(texts().last().unwrap()).unwrap();
        assert!(picture.side <= 61, "{} columns", picture.side);
    }

    #[test]
    fn a_text_beyond_any_code_is_refused() {
        assert_eq!(Picture::of(&"A".repeat(4000)).err().unwrap().reason, "CODE_TOO_LONG");
    }
}
