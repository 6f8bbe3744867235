use super::Stereo;

/// Resamples a packet to another number of samples by cubic interpolation. Good for changes of a
/// few percent; a packet of the right length passes unchanged.
pub fn stretch(input: Vec<Stereo>, length: usize) -> Vec<Stereo> {
    if input.len() == length || input.is_empty() || length == 0 {
        return input;
    }
    let last = input.len() - 1;
    let at = |index: isize| input[index.clamp(0, last as isize) as usize];
    let step = input.len() as f64 / length as f64;
    (0..length)
        .map(|index| {
            let place = index as f64 * step;
            let whole = place as isize;
            let part = (place - whole as f64) as f32;
            let [a, b, c, d] = [at(whole - 1), at(whole), at(whole + 1), at(whole + 2)];
            [0, 1].map(|channel| cubic([a, b, c, d].map(|sample| sample[channel]), part))
        })
        .collect()
}

/// Catmull–Rom between the second and the third value.
fn cubic([a, b, c, d]: [f32; 4], part: f32) -> f32 {
    let slope = c - a;
    let curve = 2.0 * a - 5.0 * b + 4.0 * c - d;
    let turn = 3.0 * (b - c) + d - a;
    b + 0.5 * part * (slope + part * (curve + part * turn))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tone_keeps_its_shape() {
        let tone = |length: usize| -> Vec<Stereo> {
            (0..length)
                .map(|index| {
                    let value = (index as f32 / length as f32 * 20.0).sin();
                    [value, -value]
                })
                .collect()
        };
        for length in [940, 959, 961, 980] {
            let stretched = stretch(tone(960), length);
            assert_eq!(stretched.len(), length);
            let expected = tone(length);
            for (value, wanted) in stretched.iter().zip(&expected).skip(2).take(length - 6) {
                assert!((value[0] - wanted[0]).abs() < 0.001);
                assert_eq!(value[0], -value[1]);
            }
        }
    }
}
