//! The sample tables of one track, run-length coded as they will be written.

use super::fragment::Run;

/// The most samples of a track: over 500 hours at 30 a second.
const MAX_SAMPLES: usize = 1 << 26;

/// Equal values in a row, as `stts` and `ctts` have them.
#[derive(Clone, Debug, Default)]
pub(super) struct RunLengths<T> {
    /// How often, and what.
    pub(super) entries: Vec<(u32, T)>,
}

impl<T: PartialEq> RunLengths<T> {
    fn push(&mut self, value: T) {
        match self.entries.last_mut() {
            Some((count, last)) if *last == value && *count < u32::MAX => *count += 1,
            _ => self.entries.push((1, value)),
        }
    }
}

/// Samples that lie together in the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Chunk {
    /// Place in the output, relative to the first byte of media data.
    pub(super) offset: u64,
    pub(super) samples: u32,
}

/// Everything about the samples of one track.
#[derive(Clone, Debug, Default)]
pub(super) struct SampleTable {
    /// Decoding time of the first sample, ticks.
    pub(super) start: u64,
    /// Durations of all samples but the last, ticks.
    pub(super) durations: RunLengths<u32>,
    pub(super) composition_offsets: RunLengths<i32>,
    /// Bytes.
    pub(super) sizes: Vec<u32>,
    /// Numbers of the samples where decoding can begin, from 1.
    pub(super) sync_samples: Vec<u32>,
    pub(super) chunks: Vec<Chunk>,
    /// Sum of `durations`, ticks.
    elapsed: u64,
    /// Duration of the last sample, ticks; it changes when the next one begins elsewhere.
    last_duration: Option<u32>,
}

/// Why samples cannot be told in a table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct TableFull;

impl SampleTable {
    /// Adds the samples of a run whose data will be at `offset` of the output's media data.
    pub(super) fn push(&mut self, run: &Run, offset: u64) -> Result<(), TableFull> {
        if self.sizes.len() + run.samples.len() > MAX_SAMPLES {
            return Err(TableFull);
        }
        match (run.decode_time, self.last_duration) {
            (Some(time), None) => self.start = time,
            // The time at which a fragment begins is the truth: the sample before lasts until then.
            (Some(time), Some(_)) => {
                let last_start = self.start.saturating_add(self.elapsed);
                let lasts = time.saturating_sub(last_start).min(u64::from(u32::MAX));
                self.last_duration = Some(lasts as u32);
            }
            (None, _) => {}
        }
        for sample in &run.samples {
            self.settle_last();
            self.last_duration = Some(sample.duration);
            let composition = i32::try_from(sample.composition_offset).map_err(|_| TableFull)?;
            self.composition_offsets.push(composition);
            self.sizes.push(sample.size);
            if sample.sync {
                self.sync_samples.push(self.sizes.len() as u32);
            }
        }
        self.chunks.push(Chunk {
            offset,
            samples: run.samples.len() as u32,
        });
        Ok(())
    }

    fn settle_last(&mut self) {
        if let Some(duration) = self.last_duration.take() {
            self.durations.push(duration);
            self.elapsed = self.elapsed.saturating_add(u64::from(duration));
        }
    }

    /// The table with the last sample's duration in it.
    pub(super) fn finished(mut self) -> Self {
        self.settle_last();
        self
    }

    /// Duration of all samples, ticks.
    pub(super) fn duration(&self) -> u64 {
        self.elapsed
            .saturating_add(u64::from(self.last_duration.unwrap_or(0)))
    }

    /// Decoding time at which the last sample ends, ticks.
    pub(super) fn end(&self) -> u64 {
        self.start.saturating_add(self.duration())
    }

    pub(super) fn is_empty(&self) -> bool {
        self.sizes.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::super::fragment::Sample;
    use super::*;

    fn run(decode_time: Option<u64>, durations: &[u32]) -> Run {
        let sample = |&duration: &u32| Sample {
            duration,
            size: 10,
            composition_offset: 0,
            sync: true,
        };
        Run {
            track: 0,
            decode_time,
            data_start: 0,
            data_size: 10 * durations.len() as u64,
            samples: durations.iter().map(sample).collect(),
        }
    }

    fn table(runs: &[Run]) -> SampleTable {
        let mut table = SampleTable::default();
        for run in runs {
            table.push(run, 0).unwrap();
        }
        table.finished()
    }

    #[test]
    fn equal_durations_share_an_entry_across_fragments() {
        let table = table(&[run(Some(0), &[100, 100]), run(Some(200), &[100, 50])]);
        assert_eq!(table.durations.entries, [(3, 100), (1, 50)]);
        assert_eq!(table.duration(), 350);
    }

    #[test]
    fn a_gap_before_a_fragment_lengthens_the_sample_before() {
        let table = table(&[run(Some(40), &[100, 100]), run(Some(540), &[100])]);
        assert_eq!(table.durations.entries, [(1, 100), (1, 400), (1, 100)]);
        assert_eq!((table.start, table.end()), (40, 640));
    }

    #[test]
    fn an_overlap_shortens_the_sample_before() {
        let table = table(&[run(Some(0), &[100, 100]), run(Some(150), &[100])]);
        assert_eq!(table.durations.entries, [(1, 100), (1, 50), (1, 100)]);
    }

    #[test]
    fn runs_without_a_time_go_on_from_the_one_before() {
        let table = table(&[run(Some(7), &[100]), run(None, &[100])]);
        assert_eq!((table.start, table.end()), (7, 207));
    }
}
